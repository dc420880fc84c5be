#include "checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/errors.h"
#include "base/unpacker.h"
#include "base/utf8.h"
#include "checkpoint/input_errors.h"

namespace quasar::checkpoint {
namespace {

constexpr std::size_t kPrefix = sizeof(std::uint64_t);
/// The reference implementation's limit: no real header comes near it.
constexpr std::uint64_t kMostHeader = 100'000'000;

struct NamedType {
  std::string_view name;
  Dtype type;
};
constexpr std::array<NamedType, 10> kTypes = {{{"F64", Dtype::kFloat64},
                                               {"F32", Dtype::kFloat32},
                                               {"F16", Dtype::kFloat16},
                                               {"BF16", Dtype::kBfloat16},
                                               {"I64", Dtype::kInt64},
                                               {"I32", Dtype::kInt32},
                                               {"I16", Dtype::kInt16},
                                               {"I8", Dtype::kInt8},
                                               {"U8", Dtype::kUint8},
                                               {"BOOL", Dtype::kBool}}};

std::string tensor_text(const std::string& name) {
  return "tensor \"" + base::printable(name) + "\"";
}

std::string_view name_of(Dtype type) {
  for (const NamedType& known : kTypes) {
    if (known.type == type) return known.name;
  }
  base::fail(base::ExitCode::kInternal, "unknown dtype");
}

/// Walks over a header's bytes and tells how far.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t& count) : at_(at), count_(&count) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  CountingIterator operator++(int) {
    const auto before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

/// Takes the events of a header's JSON. What the format does not have in a place is refused there, so that
/// nothing nests and nothing is kept but tensors and metadata.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderReader(SafetensorsHeader& header, const std::size_t& position)
      : header_(header), position_(position) {}

  [[noreturn]] void fail(const std::string& what) const {
    fail_input("header byte " + std::to_string(position_) + ": " + what);
  }

  bool start_object(std::size_t) override {
    if (state_ == State::kStart) {
      state_ = State::kTensors;
    } else if (state_ == State::kTensors && name_ == kMetadata) {
      state_ = State::kMetadata;
    } else if (state_ == State::kTensors) {
      state_ = State::kEntry;
      header_.entries.emplace_back().name = name_;
    } else {
      unexpected("an object");
    }
    seen_.clear();
    return true;
  }

  bool key(string_t& key) override {
    std::set<std::string>& known = state_ == State::kTensors ? names_ : seen_;
    if (!known.insert(key).second) {
      fail("the " + std::string(state_ == State::kTensors ? "name" : "key") + " \"" + base::printable(key) +
           "\"" + (state_ == State::kTensors ? "" : " of " + place()) + " appears twice");
    }
    if (state_ == State::kEntry && key != "dtype" && key != "shape" && key != "data_offsets") {
      fail("unknown key \"" + base::printable(key) + "\" of " + place() +
           "; a tensor has dtype, shape and data_offsets");
    }
    (state_ == State::kTensors ? name_ : key_) = std::move(key);
    return true;
  }

  bool end_object() override {
    if (state_ == State::kEntry) {
      for (const char* key : {"dtype", "shape", "data_offsets"}) {
        if (!seen_.contains(key)) fail(place() + " has no " + key);
      }
    }
    state_ = state_ == State::kTensors ? State::kEnd : State::kTensors;
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ != State::kEntry || key_ == "dtype") unexpected("a list");
    state_ = key_ == "shape" ? State::kShape : State::kOffsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() override {
    if (state_ == State::kOffsets && offsets_ != 2) unexpected("the end of the list");
    state_ = State::kEntry;
    return true;
  }

  bool string(string_t& text) override {
    if (state_ == State::kMetadata) {
      header_.metadata.emplace(key_, std::move(text));
    } else if (state_ == State::kEntry && key_ == "dtype") {
      header_.entries.back().type = type_of(text);
    } else {
      unexpected("a text");
    }
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ != State::kShape && state_ != State::kOffsets) unexpected("a number");
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) too_large();
    SafetensorsEntry& entry = header_.entries.back();
    if (state_ == State::kShape) {
      if (entry.shape.size() == kMostDimensions) fail(place() + " has too many dimensions");
      entry.shape.push_back(static_cast<std::int64_t>(value));
    } else {
      if (offsets_ == 2) unexpected("a third number");
      (offsets_++ == 0 ? entry.begin : entry.end) = value;
    }
    return true;
  }

  bool number_integer(number_integer_t) override { unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t& text) override {
    if (text.find_first_of(".eE") == std::string::npos) too_large();
    unexpected("a fraction or an exponent");
  }
  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a truth value"); }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    constexpr int kNumberOverflow = 406;
    constexpr std::size_t kMostText = 300;
    if (error.id == kNumberOverflow) too_large();
    // After "[json.exception.parse_error.101] parse error at line 1, column 2: ".
    const std::string_view text = error.what();
    const std::size_t column = text.find(": ");
    fail(base::printable(column == std::string_view::npos ? text : text.substr(column + 2), kMostText));
  }

 private:
  enum class State { kStart, kTensors, kMetadata, kEntry, kShape, kOffsets, kEnd };
  static constexpr std::string_view kMetadata = "__metadata__";

  /// What is being read.
  std::string place() const {
    return state_ == State::kMetadata || name_ == kMetadata ? std::string(kMetadata) : tensor_text(name_);
  }

  [[noreturn]] void unexpected(const std::string& found) const {
    std::string wanted = "a whole number of " + place();
    if (state_ == State::kTensors) {
      wanted = "an object for " + place();
    } else if (state_ == State::kMetadata) {
      wanted = "a text for the key \"" + base::printable(key_) + "\" of " + place();
    } else if (state_ == State::kEntry) {
      wanted = (key_ == "dtype" ? "a text for dtype of " : "a list of whole numbers for " + key_ + " of ") +
               place();
    } else if (state_ == State::kOffsets) {
      wanted = "two whole numbers as data_offsets of " + place();
    }
    fail("expected " + wanted + ", found " + found);
  }

  [[noreturn]] void too_large() const { fail("a number beyond 2^63 - 1"); }

  Dtype type_of(const std::string& name) const {
    for (const NamedType& known : kTypes) {
      if (known.name == name) return known.type;
    }
    fail("unknown dtype \"" + base::printable(name) +
         "\"; known are F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL");
  }

  SafetensorsHeader& header_;
  const std::size_t& position_;
  State state_ = State::kStart;
  std::set<std::string> names_;  ///< Of all tensors.
  std::set<std::string> seen_;   ///< Keys of the object being read.
  std::string name_;             ///< Of the tensor being read.
  std::string key_;
  int offsets_ = 0;  ///< How many were read.
};

/// Bytes that a shape needs; nothing when that is beyond 2^63 - 1, empty dimensions counted as 1.
std::optional<std::uint64_t> bytes_of(const SafetensorsEntry& entry) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t bytes = element_size(entry.type);
  bool empty = false;
  for (const std::int64_t extent : entry.shape) {
    empty = empty || extent == 0;
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(extent, 1));
    if (bytes > kMost / factor) return std::nullopt;
    bytes *= factor;
  }
  return empty ? 0 : bytes;
}

void check_layout(std::vector<SafetensorsEntry>& entries, std::uint64_t data_size) {
  for (const SafetensorsEntry& entry : entries) {
    const std::string range =
        "bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end) + " of the data";
    if (entry.begin > entry.end) fail_input(tensor_text(entry.name) + " ends before it begins: " + range);
    if (entry.end > data_size) {
      fail_input(tensor_text(entry.name) + " lies outside the file: " + range + ", which has " +
                 std::to_string(data_size) + "; is the file truncated?");
    }
    const std::optional<std::uint64_t> bytes = bytes_of(entry);
    if (!bytes) fail_input(tensor_text(entry.name) + " has a shape too large to exist");
    if (*bytes != entry.end - entry.begin) {
      fail_input(tensor_text(entry.name) + " needs " + std::to_string(*bytes) +
                 " bytes by its shape and dtype but has " + std::to_string(entry.end - entry.begin));
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t position = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin < position) fail_input(tensor_text(entry.name) + " overlaps another tensor");
    if (entry.begin > position) {
      fail_input(std::to_string(entry.begin - position) + " bytes before " + tensor_text(entry.name) +
                 " belong to no tensor");
    }
    position = entry.end;
  }
  if (position != data_size) {
    fail_input(std::to_string(data_size - position) + " bytes after the last tensor belong to none");
  }
}

}  // namespace

bool looks_like_safetensors(std::span<const std::byte> file) {
  return file.size() > kPrefix && file[kPrefix] == std::byte{'{'};
}

SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_size) {
  SafetensorsHeader header;
  std::size_t position = 0;
  HeaderReader reader(header, position);
  // The format asks for a brace as the very first byte.
  if (json.empty() || json.front() != '{') reader.fail("a safetensors header begins with {");
  std::size_t end = json.size();
  nlohmann::json::sax_parse(CountingIterator(json.data(), position),
                            CountingIterator(json.data() + json.size(), end), &reader);
  // The parser takes a zero byte for the end.
  if (position != json.size()) reader.fail("text after the closing brace");
  check_layout(header.entries, data_size);
  return header;
}

SafetensorsHeader read_safetensors_header(std::span<const std::byte> file, std::span<const std::byte>& data) {
  if (file.size() < kPrefix)
    fail_input("too short for a safetensors file: " + std::to_string(file.size()) + " bytes");
  const auto length = base::load<std::uint64_t>(file, 0);
  if (length > file.size() - kPrefix) {
    fail_input("the safetensors header claims " + std::to_string(length) + " bytes but the file has " +
               std::to_string(file.size() - kPrefix) + " after it; is the file truncated?");
  }
  if (length > kMostHeader) {
    fail_input("the safetensors header claims " + std::to_string(length) + " bytes; the most allowed is " +
               std::to_string(kMostHeader));
  }
  const std::span<const std::byte> json = file.subspan(kPrefix, length);
  data = file.subspan(kPrefix + length);
  return parse_safetensors_header(std::string_view(reinterpret_cast<const char*>(json.data()), json.size()),
                                  data.size());
}

std::string format_safetensors_header(const SafetensorsHeader& header) {
  constexpr std::size_t kAlignment = 64;
  nlohmann::ordered_json tree = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) tree["__metadata__"] = header.metadata;
  for (const SafetensorsEntry& entry : header.entries) {
    tree[entry.name] = {
        {"dtype", name_of(entry.type)}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string json = tree.dump();
  json.append((kAlignment - (kPrefix + json.size()) % kAlignment) % kAlignment, ' ');
  std::string result(kPrefix, '\0');
  const std::uint64_t length = json.size();
  std::memcpy(result.data(), &length, kPrefix);
  return result + json;
}

}  // namespace quasar::checkpoint
