#include "exports/tar_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace quasar::exports {
namespace {

constexpr std::size_t kNameLength = 100;
/// Of the size's eleven octal digits.
constexpr std::uint64_t kSizeLimit = std::uint64_t{1} << 33U;

/// Fields of a header: offset and length.
struct Field {
  std::size_t offset;
  std::size_t length;
};
constexpr Field kName{0, kNameLength};
constexpr Field kMode{100, 8};
constexpr Field kUser{108, 8};
constexpr Field kGroup{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kTime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kType = 156;
constexpr Field kMagic{257, 8};

void put(std::string& block, const Field& field, std::string_view text) {
  block.replace(field.offset, std::min(text.size(), field.length), text.substr(0, field.length));
}

/// Octal digits that fill the field but for the NUL at its end.
void put_number(std::string& block, const Field& field, std::uint64_t value) {
  put(block, field, fmt::format("{:0{}o}", value, field.length - 1));
}

std::string block_of(std::string_view name, std::uint64_t size, char type) {
  std::string block(kTarBlock, '\0');
  put(block, kName, name);
  put_number(block, kMode, 0644);
  put_number(block, kUser, 0);
  put_number(block, kGroup, 0);
  put_number(block, kSize, size < kSizeLimit ? size : 0);
  put_number(block, kTime, 0);
  block[kType] = type;
  put(block, kMagic, std::string_view("ustar\00000", 8));
  // Summed with blanks in its own place.
  put(block, kChecksum, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(block, kChecksum, fmt::format("{:06o}", sum) + '\0' + ' ');
  return block;
}

/// "LENGTH KEY=VALUE\n", where the length counts its own digits.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length) length = rest + std::to_string(length).size();
  return fmt::format("{} {}={}\n", length, key, value);
}

}  // namespace

std::string tar_header(std::string_view name, std::uint64_t size) {
  const bool long_name = name.size() > kNameLength;
  const bool large = size >= kSizeLimit;
  std::string records;
  if (long_name) records += pax_record("path", name);
  if (large) records += pax_record("size", std::to_string(size));
  std::string header;
  if (!records.empty()) {
    header = block_of("pax", records.size(), 'x') + records;
    header.resize(padded(header.size()), '\0');
  }
  return header + block_of(name, size, '0');
}

}  // namespace quasar::exports
