#include "encoder/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/errors.h"
#include "encoder/json_cursor.h"

namespace quasar::encoder {
namespace {

static_assert(std::endian::native == std::endian::little,
              "weights files are little-endian and are used in place");

constexpr std::size_t kPrefix = sizeof(std::uint64_t);
/// The reference implementation's limit: no real header comes near it.
constexpr std::uint64_t kMostHeader = 100'000'000;
constexpr std::size_t kMostDimensions = 64;

struct NamedType {
  std::string_view name;
  c10::ScalarType type;
};
constexpr std::array<NamedType, 10> kTypes = {{{"F64", c10::ScalarType::Double},
                                               {"F32", c10::ScalarType::Float},
                                               {"F16", c10::ScalarType::Half},
                                               {"BF16", c10::ScalarType::BFloat16},
                                               {"I64", c10::ScalarType::Long},
                                               {"I32", c10::ScalarType::Int},
                                               {"I16", c10::ScalarType::Short},
                                               {"I8", c10::ScalarType::Char},
                                               {"U8", c10::ScalarType::Byte},
                                               {"BOOL", c10::ScalarType::Bool}}};

[[noreturn]] void fail_input(const std::string& what) {
  base::fail(base::ExitCode::kInput, what);
}

std::string tensor_text(const std::string& name) {
  return "tensor \"" + printable(name) + "\"";
}

c10::ScalarType type_of(const std::string& name, const JsonCursor& cursor) {
  for (const NamedType& known : kTypes) {
    if (known.name == name) return known.type;
  }
  cursor.fail("unknown dtype \"" + printable(name) +
              "\"; known are F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL");
}

std::string_view name_of(c10::ScalarType type) {
  for (const NamedType& known : kTypes) {
    if (known.type == type) return known.name;
  }
  base::fail(base::ExitCode::kInternal, std::string("safetensors has no dtype for ") + c10::toString(type));
}

std::map<std::string, std::string> parse_metadata(JsonCursor& cursor) {
  std::map<std::string, std::string> result;
  cursor.expect('{');
  if (cursor.take('}')) return result;
  do {
    std::string key = cursor.string();
    cursor.expect(':');
    std::string value = cursor.string();
    if (result.contains(key)) cursor.fail("the key \"" + printable(key) + "\" of __metadata__ appears twice");
    result.emplace(std::move(key), std::move(value));
  } while (cursor.take(','));
  cursor.expect('}');
  return result;
}

SafetensorsEntry parse_entry(JsonCursor& cursor, std::string name) {
  SafetensorsEntry entry;
  entry.name = std::move(name);
  std::set<std::string> seen;
  cursor.expect('{');
  do {
    const std::string key = cursor.string();
    if (!seen.insert(key).second) {
      cursor.fail("the key \"" + printable(key) + "\" of " + tensor_text(entry.name) + " appears twice");
    }
    cursor.expect(':');
    if (key == "dtype") {
      entry.type = type_of(cursor.string(), cursor);
    } else if (key == "shape") {
      cursor.expect('[');
      if (cursor.take(']')) continue;
      do {
        if (entry.shape.size() == kMostDimensions)
          cursor.fail(tensor_text(entry.name) + " has too many dimensions");
        entry.shape.push_back(cursor.count());
      } while (cursor.take(','));
      cursor.expect(']');
    } else if (key == "data_offsets") {
      cursor.expect('[');
      entry.begin = static_cast<std::uint64_t>(cursor.count());
      cursor.expect(',');
      entry.end = static_cast<std::uint64_t>(cursor.count());
      cursor.expect(']');
    } else {
      cursor.fail("unknown key \"" + printable(key) + "\" of " + tensor_text(entry.name) +
                  "; a tensor has dtype, shape and data_offsets");
    }
  } while (cursor.take(','));
  cursor.expect('}');
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!seen.contains(key)) cursor.fail(tensor_text(entry.name) + " has no " + key);
  }
  return entry;
}

/// Bytes that a shape needs; nothing when that is beyond 2^63 - 1, empty dimensions counted as 1.
std::optional<std::uint64_t> bytes_of(const SafetensorsEntry& entry) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t bytes = c10::elementSize(entry.type);
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
  JsonCursor cursor(json);
  // The format asks for a brace as the very first byte.
  if (json.empty() || json.front() != '{') cursor.fail("a safetensors header begins with {");
  cursor.expect('{');
  std::set<std::string> names;
  if (!cursor.take('}')) {
    do {
      std::string name = cursor.string();
      if (!names.insert(name).second) cursor.fail("the name \"" + printable(name) + "\" appears twice");
      cursor.expect(':');
      if (name == "__metadata__") {
        header.metadata = parse_metadata(cursor);
      } else {
        header.entries.push_back(parse_entry(cursor, std::move(name)));
      }
    } while (cursor.take(','));
    cursor.expect('}');
  }
  cursor.expect_end();
  check_layout(header.entries, data_size);
  return header;
}

SafetensorsHeader read_safetensors_header(std::span<const std::byte> file, std::span<const std::byte>& data) {
  if (file.size() < kPrefix)
    fail_input("too short for a safetensors file: " + std::to_string(file.size()) + " bytes");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kPrefix);
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
  std::string json = "{";
  const auto separate = [&] {
    if (json.size() > 1) json += ",";
  };
  if (!header.metadata.empty()) {
    json += "\"__metadata__\":{";
    bool first = true;
    for (const auto& [key, value] : header.metadata) {
      json += (first ? "" : ",") + json_quote(key) + ":" + json_quote(value);
      first = false;
    }
    json += "}";
  }
  for (const SafetensorsEntry& entry : header.entries) {
    separate();
    json += json_quote(entry.name) + ":{\"dtype\":\"" + std::string(name_of(entry.type)) + "\",\"shape\":[";
    for (std::size_t i = 0; i < entry.shape.size(); ++i)
      json += (i == 0 ? "" : ",") + std::to_string(entry.shape[i]);
    json += "],\"data_offsets\":[" + std::to_string(entry.begin) + "," + std::to_string(entry.end) + "]}";
  }
  json += "}";
  json.append((kAlignment - (kPrefix + json.size()) % kAlignment) % kAlignment, ' ');
  std::string result(kPrefix, '\0');
  const std::uint64_t length = json.size();
  std::memcpy(result.data(), &length, kPrefix);
  return result + json;
}

}  // namespace quasar::encoder
