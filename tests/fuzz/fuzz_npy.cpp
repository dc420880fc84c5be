// A .npy file from anywhere: refused with an Error, or a matrix all of whose rows can be read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/errors.h"
#include "store/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace quasar;  // NOLINT: short.
  const auto file = std::as_bytes(std::span(data, size));
  try {
    const auto header = store::read_npy_header(file);
    if (header.rows == 0 || header.columns == 0 || header.columns > size) std::abort();
    std::vector<float> row(header.columns);
    for (std::uint64_t i = 0; i < header.rows; ++i) store::read_npy_rows(file, header, i, 1, row);
  } catch (const base::Error& error) {
    if (error.code() != base::ExitCode::kInput) std::abort();
  }
  return 0;
}
