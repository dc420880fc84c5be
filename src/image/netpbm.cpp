#include "image/netpbm.h"

#include <algorithm>
#include <string_view>

namespace quasar::image {
namespace {

constexpr int kMostSide = 65535;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

/// The next number of a header, after blanks and comments; nothing where there is none up to kMostSide.
std::optional<int> take_number(std::string_view& text) {
  while (!text.empty() && (is_space(text.front()) || text.front() == '#')) {
    if (text.front() == '#') text.remove_prefix(std::min(text.find_first_of("\r\n"), text.size()));
    if (!text.empty()) text.remove_prefix(1);
  }
  int number = 0;
  bool any = false;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), any = true) {
    number = number * 10 + (text.front() - '0');
    if (number > kMostSide) return std::nullopt;
  }
  return any ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<NetpbmPicture> read_netpbm(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  NetpbmPicture picture;
  if (text.starts_with("P5")) {
    picture.channels = 1;
  } else if (text.starts_with("P6")) {
    picture.channels = 3;
  } else {
    return std::nullopt;
  }
  text.remove_prefix(2);
  if (text.empty() || (!is_space(text.front()) && text.front() != '#')) return std::nullopt;
  const auto width = take_number(text);
  const auto height = width ? take_number(text) : std::nullopt;
  const auto most = height ? take_number(text) : std::nullopt;
  if (!most || *most != 255 || *width == 0 || *height == 0 || text.empty() || !is_space(text.front()))
    return std::nullopt;
  text.remove_prefix(1);
  const auto size = static_cast<std::size_t>(*width) * static_cast<std::size_t>(*height) *
                    static_cast<std::size_t>(picture.channels);
  if (text.size() < size) return std::nullopt;
  picture.width = *width;
  picture.height = *height;
  picture.pixels = {reinterpret_cast<const std::uint8_t*>(text.data()), size};
  return picture;
}

}  // namespace quasar::image
