#include "curation/hash_digits.h"

#include "base/errors.h"

namespace quasar::curation {

std::optional<cluster::HashBits> parse_hash(std::string_view digits) {
  constexpr std::size_t kElementDigits = 16;
  cluster::HashBits bits{};
  const std::size_t elements = digits.size() / kElementDigits;
  QUASAR_CHECK(elements <= bits.size() && digits.size() % kElementDigits == 0);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const char c = digits[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    auto& element = bits[elements - 1 - i / kElementDigits];
    element = element << 4U | static_cast<std::uint64_t>(digit);
  }
  return bits;
}

}  // namespace quasar::curation
