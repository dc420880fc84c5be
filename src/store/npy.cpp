#include "store/npy.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/errors.h"
#include "store/half.h"

namespace quasar::store {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
/// NumPy's own limit for what it reads without being told that the file is trusted.
constexpr std::size_t kMostHeaderBytes = 10'000;

[[noreturn]] void refuse(const std::string& what) {
  base::fail(base::ExitCode::kInput, what);
}

std::size_t size_of(NpyType type) {
  return type == NpyType::kHalf ? 2 : type == NpyType::kFloat ? 4 : 8;
}

/// Reads the header's text, a dictionary as Python writes it.
class DictionaryReader {
 public:
  explicit DictionaryReader(std::string_view text) : text_(text) {}

  void read(std::optional<std::string>& descr, std::optional<bool>& fortran,
            std::optional<std::vector<std::uint64_t>>& shape) {
    expect('{');
    while (!accept('}')) {
      const std::string key = text();
      expect(':');
      if (key == "descr" && !descr) {
        descr = text();
      } else if (key == "fortran_order" && !fortran) {
        fortran = truth();
      } else if (key == "shape" && !shape) {
        shape = numbers();
      } else {
        refuse(fmt::format("the header of the .npy file has the key \"{}\" where it should not", key));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) malformed();
  }

 private:
  [[noreturn]] void malformed() const {
    refuse(fmt::format("the header of the .npy file is malformed at byte {}", at_));
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool accept(char wanted) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) malformed();
  }
  std::string text() {
    skip_blanks();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) {
      // A list of fields stands in the place of a type.
      if (at_ < text_.size() && text_[at_] == '[')
        refuse("the .npy file holds records; plain numbers are read");
      malformed();
    }
    const auto end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) malformed();
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool truth() {
    skip_blanks();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    malformed();
  }
  std::vector<std::uint64_t> numbers() {
    constexpr std::size_t kMostDimensions = 32;
    std::vector<std::uint64_t> values;
    expect('(');
    while (!accept(')')) {
      skip_blanks();
      std::uint64_t value = 0;
      const auto* const begin = text_.data() + at_;
      const auto parsed = std::from_chars(begin, text_.data() + text_.size(), value);
      if (parsed.ec != std::errc{} || values.size() == kMostDimensions) malformed();
      at_ += static_cast<std::size_t>(parsed.ptr - begin);
      values.push_back(value);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

NpyType type_of(const std::string& descr) {
  if (descr == "<f2") return NpyType::kHalf;
  if (descr == "<f4") return NpyType::kFloat;
  if (descr == "<f8") return NpyType::kDouble;
  refuse(
      fmt::format("the .npy file holds values of the type \"{}\"; float16, float32 and float64 in "
                  "little-endian order ('<f2', '<f4', '<f8') are read",
                  descr));
}

template <typename T>
T value_at(std::span<const std::byte> bytes, std::size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

std::string npy_header(std::string_view descr, std::string_view shape) {
  // Values begin at a multiple of this, as NumPy has it.
  constexpr std::size_t kAlignment = 64;
  constexpr std::size_t kBefore = 10;
  auto text = fmt::format("{{'descr': {}, 'fortran_order': False, 'shape': {}, }}", descr, shape);
  const std::size_t used = kBefore + text.size() + 1;
  text.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(text.size() & 0xFFU), static_cast<char>(text.size() >> 8U)};
  return header + text;
}

NpyHeader read_npy_header(std::span<const std::byte> file) {
  static_assert(std::endian::native == std::endian::little);
  const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
  constexpr std::size_t kVersionEnd = 8;
  if (!bytes.starts_with(kMagic) || bytes.size() < kVersionEnd)
    refuse("the file is no .npy file: it does not begin with NumPy's mark");
  const int major = static_cast<unsigned char>(bytes[6]);
  if (major < 1 || major > 3)
    refuse(fmt::format("the .npy file is of version {}; versions 1 to 3 are read", major));
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  std::size_t length = 0;
  if (bytes.size() >= kVersionEnd + length_bytes)
    std::memcpy(&length, bytes.data() + kVersionEnd, length_bytes);
  NpyHeader header;
  header.data = kVersionEnd + length_bytes + length;
  if (length == 0 || length > kMostHeaderBytes || header.data > bytes.size())
    refuse("the .npy file is cut in its header, or its header is of no sensible length");
  std::optional<std::string> descr;
  std::optional<bool> fortran;
  std::optional<std::vector<std::uint64_t>> shape;
  DictionaryReader(bytes.substr(kVersionEnd + length_bytes, length)).read(descr, fortran, shape);
  if (!descr || !fortran || !shape)
    refuse("the header of the .npy file lacks one of descr, fortran_order and shape");
  header.type = type_of(*descr);
  if (shape->empty() || shape->size() > 2)
    refuse(
        fmt::format("the .npy file holds an array of {} dimensions; a matrix [n, d] is read, or a vector [d]",
                    shape->size()));
  header.columns = shape->back();
  header.rows = shape->size() == 2 ? shape->front() : 1;
  if (header.rows == 0 || header.columns == 0) refuse("the .npy file holds no values");
  if (*fortran && header.rows > 1 && header.columns > 1)
    refuse("the .npy file is in Fortran order; save it with numpy.ascontiguousarray");
  const std::size_t there = (bytes.size() - header.data) / size_of(header.type);
  if (header.rows > there / header.columns)
    refuse(fmt::format("the .npy file is cut: it promises {} x {} values and holds {}", header.rows,
                       header.columns, there));
  return header;
}

void read_npy_rows(std::span<const std::byte> file, const NpyHeader& header, std::uint64_t first,
                   std::uint64_t count, std::span<float> values) {
  QUASAR_CHECK(first + count <= header.rows && values.size() == count * header.columns);
  const auto bytes = file.subspan(header.data + first * header.columns * size_of(header.type));
  switch (header.type) {
    case NpyType::kHalf:
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = from_half(value_at<std::uint16_t>(bytes, i));
      return;
    case NpyType::kFloat:
      std::memcpy(values.data(), bytes.data(), values.size_bytes());
      return;
    case NpyType::kDouble:
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(value_at<double>(bytes, i));
      return;
  }
}

}  // namespace quasar::store
