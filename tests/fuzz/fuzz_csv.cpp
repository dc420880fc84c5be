// A table from anywhere: records as wide as the header, or Error(kInput). The first byte chooses the
// separator, or that it be recognised.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/errors.h"
#include "corpus/sources/csv_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr std::string_view kSeparators = ",\t;|";
  const bool given = data[0] % 5 < kSeparators.size();
  const char separator =
      given ? kSeparators[data[0] % 5] : quasar::corpus::recognised_separator(text, ',', "path");
  if (kSeparators.find(separator) == std::string_view::npos) std::abort();
  try {
    quasar::corpus::CsvReader reader(text, "fuzz.csv", separator);
    std::size_t line = 0;
    while (const auto record = reader.next()) {
      if (record->fields.size() != reader.columns().size() || record->line <= line) std::abort();
      line = record->line;
    }
  } catch (const quasar::base::Error& error) {
    if (error.code() != quasar::base::ExitCode::kInput) std::abort();
  }
  return 0;
}
