// Owns small writers of zip archives and pickles, so that tests can make hostile ones byte by byte.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/zip_archive.h"

namespace quasar::checkpoint::crafted {

template <typename T>
std::string raw(T value) {
  std::string result(sizeof value, '\0');
  std::memcpy(result.data(), &value, sizeof value);
  return result;
}

/// One zip entry; what a sound archive derives from the data can be overridden.
struct ZipMember {
  std::string name;
  std::string data;
  std::uint16_t method = 0;
  std::uint16_t flags = 0;
  bool wrong_crc = false;
  std::string local_name = name;
  std::uint32_t claimed_size = static_cast<std::uint32_t>(data.size());
  std::uint32_t claimed_uncompressed = claimed_size;
  std::size_t shift = 0;          ///< Of the data, from a multiple of 64.
  std::int64_t header_shift = 0;  ///< Added to the offset that the directory states.
};

struct ZipOptions {
  bool zip64 = false;
  std::string comment = {};
  std::uint16_t extra_count = 0;      ///< Added to the number of entries.
  std::uint32_t directory_shift = 0;  ///< Added to the directory's offset.
};

inline std::string make_zip(const std::vector<ZipMember>& members, const ZipOptions& options = {}) {
  std::string file;
  std::string directory;
  constexpr std::uint32_t kIn64 = 0xFFFFFFFF;
  for (const ZipMember& member : members) {
    const std::uint64_t header = file.size() + static_cast<std::uint64_t>(member.header_shift);
    const std::uint32_t crc = crc32(std::as_bytes(std::span(member.data))) + (member.wrong_crc ? 1U : 0U);
    const std::string common = raw(member.flags) + raw(member.method) + raw<std::uint32_t>(0) + raw(crc);
    // Padding so that data lies at multiples of 64, as torch does it.
    const std::size_t start = file.size() + 30 + member.local_name.size();
    const std::string padding((64 - start % 64) % 64 + member.shift, 'Z');
    file += raw<std::uint32_t>(0x04034b50) + raw<std::uint16_t>(20) + common + raw(member.claimed_size) +
            raw(member.claimed_uncompressed) + raw(static_cast<std::uint16_t>(member.local_name.size())) +
            raw(static_cast<std::uint16_t>(padding.size())) + member.local_name + padding + member.data;
    std::string extra;
    if (options.zip64) {
      extra = raw<std::uint16_t>(7) + raw<std::uint16_t>(1) + "x" + raw<std::uint16_t>(1) +
              raw<std::uint16_t>(24) + raw<std::uint64_t>(member.claimed_uncompressed) +
              raw<std::uint64_t>(member.claimed_size) + raw<std::uint64_t>(header);
    }
    directory += raw<std::uint32_t>(0x02014b50) + raw<std::uint16_t>(20) + raw<std::uint16_t>(20) + common +
                 raw(options.zip64 ? kIn64 : member.claimed_size) +
                 raw(options.zip64 ? kIn64 : member.claimed_uncompressed) +
                 raw(static_cast<std::uint16_t>(member.name.size())) +
                 raw(static_cast<std::uint16_t>(extra.size())) + raw<std::uint16_t>(0) +
                 raw<std::uint16_t>(0) + raw<std::uint16_t>(0) + raw<std::uint32_t>(0) +
                 raw(options.zip64 ? kIn64 : static_cast<std::uint32_t>(header)) + member.name + extra;
  }
  const std::uint64_t offset = file.size() + options.directory_shift;
  const auto count = static_cast<std::uint16_t>(members.size() + options.extra_count);
  file += directory;
  const std::uint64_t end64 = file.size();
  if (options.zip64) {
    file += raw<std::uint32_t>(0x06064b50) + raw<std::uint64_t>(44) + raw<std::uint16_t>(45) +
            raw<std::uint16_t>(45) + raw<std::uint32_t>(0) + raw<std::uint32_t>(0) +
            raw<std::uint64_t>(count) + raw<std::uint64_t>(count) + raw<std::uint64_t>(directory.size()) +
            raw(offset);
    file += raw<std::uint32_t>(0x07064b50) + raw<std::uint32_t>(0) + raw(end64) + raw<std::uint32_t>(1);
  }
  return file + raw<std::uint32_t>(0x06054b50) + raw<std::uint16_t>(0) + raw<std::uint16_t>(0) + raw(count) +
         raw(count) + raw(options.zip64 ? kIn64 : static_cast<std::uint32_t>(directory.size())) +
         raw(options.zip64 ? kIn64 : static_cast<std::uint32_t>(offset)) +
         raw(static_cast<std::uint16_t>(options.comment.size())) + options.comment;
}

// Pieces of a pickle: each leaves one value on the stack.

inline std::string text(const std::string& value) {
  return "X" + raw(static_cast<std::uint32_t>(value.size())) + value;
}

inline std::string integer(std::int64_t value) {
  return std::string("\x8a\x08") + raw(value);
}

inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

inline std::string tuple(const std::vector<std::string>& items) {
  std::string result = "(";
  for (const std::string& item : items) result += item;
  return result + "t";
}

inline std::string integers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> items;
  items.reserve(values.size());
  for (const std::int64_t value : values) items.push_back(integer(value));
  return tuple(items);
}

/// Keys and values alternate.
inline std::string dict(const std::vector<std::string>& items) {
  std::string result = "}(";
  for (const std::string& item : items) result += item;
  return result + "u";
}

inline std::string storage(const std::string& type, const std::string& key, std::int64_t count,
                           const std::string& device = "cpu") {
  return tuple({text("storage"), global("torch", type), text(key), text(device), integer(count)}) + "Q";
}

inline std::string tensor(const std::string& storage_piece, std::int64_t offset,
                          const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({storage_piece, integer(offset), integers(sizes), integers(strides), "\x89",
                global("collections", "OrderedDict") + ")R"}) +
         "R";
}

inline std::string pickle(const std::string& root) {
  return "\x80\x02" + root + ".";
}

/// A torch.save file of this pickle and one float32 storage "0" with the numbers 0, 1, 2, ...
inline std::string torch_file(const std::string& pickle_bytes, std::int64_t floats = 12) {
  std::string data;
  for (std::int64_t i = 0; i < floats; ++i) data += raw(static_cast<float>(i));
  return make_zip({{.name = "a/data.pkl", .data = pickle_bytes}, {.name = "a/data/0", .data = data}});
}

}  // namespace quasar::checkpoint::crafted
