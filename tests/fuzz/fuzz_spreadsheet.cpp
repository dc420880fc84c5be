// A workbook from anywhere: rows of at most 64 cells, or Error(kInput).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/errors.h"
#include "corpus/benchmarks/spreadsheet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMostCells = 64;
  try {
    const auto rows = quasar::corpus::parse_first_sheet(std::as_bytes(std::span(data, size)), "fuzz.xlsx");
    for (const auto& row : rows)
      if (row.cells.empty() || row.cells.size() > kMostCells) std::abort();
  } catch (const quasar::base::Error& error) {
    if (error.code() != quasar::base::ExitCode::kInput) std::abort();
  }
  return 0;
}
