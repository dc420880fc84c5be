#include "checkpoint/zip_archive.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/unpacker.h"
#include "base/utf8.h"
#include "checkpoint/input_errors.h"

namespace quasar::checkpoint {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocatorSignature = 0x07064b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kCentralSize = 46;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kEnd64Size = 56;
constexpr std::size_t kLocatorSize = 20;
constexpr std::uint16_t kZip64Extra = 1;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  ///< "See the zip64 field."
constexpr std::uint16_t kIn64Short = 0xFFFF;
constexpr std::uint64_t kMostEntries = 1'000'000;

// The callers have checked that what is loaded lies inside.
using base::load;

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t count = 0;
};

/// Offset of the end record: the last one whose comment reaches exactly to the end of the file.
std::uint64_t find_end(std::span<const std::byte> file) {
  constexpr std::size_t kMostComment = 0xFFFF;
  const std::size_t furthest = std::min(file.size(), kEndSize + kMostComment);
  for (std::size_t back = kEndSize; back <= furthest; ++back) {
    const std::size_t at = file.size() - back;
    if (load<std::uint32_t>(file, at) == kEndSignature &&
        load<std::uint16_t>(file, at + 20) == back - kEndSize) {
      return at;
    }
  }
  fail_input("a zip archive without its directory at the end; the file is truncated, fetch it again");
}

Directory find_directory(std::span<const std::byte> file) {
  const std::uint64_t end = find_end(file);
  Directory directory{load<std::uint32_t>(file, end + 16), load<std::uint32_t>(file, end + 12),
                      load<std::uint16_t>(file, end + 10)};
  if (load<std::uint16_t>(file, end + 4) != 0 && load<std::uint16_t>(file, end + 4) != kIn64Short) {
    fail_input("one part of a zip archive of several parts");
  }
  std::uint64_t directory_end = end;
  if (end >= kLocatorSize && load<std::uint32_t>(file, end - kLocatorSize) == kLocatorSignature) {
    const auto end64 = load<std::uint64_t>(file, end - kLocatorSize + 8);
    if (end < kLocatorSize + kEnd64Size || end64 > end - kLocatorSize - kEnd64Size ||
        load<std::uint32_t>(file, end64) != kEnd64Signature) {
      fail_input("the zip64 end record of the archive is not where the archive says");
    }
    directory = {load<std::uint64_t>(file, end64 + 48), load<std::uint64_t>(file, end64 + 40),
                 load<std::uint64_t>(file, end64 + 32)};
    directory_end = end64;
  } else if (directory.offset == kIn64 || directory.size == kIn64 || directory.count == kIn64Short) {
    fail_input("the zip archive refers to a zip64 end record that it does not have");
  }
  if (directory.offset > directory_end || directory.size != directory_end - directory.offset) {
    fail_input(
        "the zip archive's directory is not where the archive says; is the file truncated or has it been "
        "altered?");
  }
  if (directory.count > kMostEntries || directory.count > directory.size / kCentralSize) {
    fail_input("the zip archive claims " + std::to_string(directory.count) +
               " entries, more than its directory can hold");
  }
  return directory;
}

/// Sizes and offset of an entry that stand in its zip64 extra field.
struct Wide {
  std::uint64_t uncompressed;
  std::uint64_t compressed;
  std::uint64_t header;
};

void read_zip64(std::span<const std::byte> extra, Wide& wide, const std::string& name) {
  const bool needed = wide.uncompressed == kIn64 || wide.compressed == kIn64 || wide.header == kIn64;
  for (std::size_t at = 0; needed && at + 4 <= extra.size();) {
    const auto id = load<std::uint16_t>(extra, at);
    const std::size_t size = load<std::uint16_t>(extra, at + 2);
    at += 4;
    if (size > extra.size() - at) break;
    if (id == kZip64Extra) {
      std::size_t field = at;
      for (std::uint64_t* value : {&wide.uncompressed, &wide.compressed, &wide.header}) {
        if (*value != kIn64) continue;
        if (field + 8 > at + size)
          fail_input("zip entry \"" + name + "\" has a zip64 field that is too short");
        *value = load<std::uint64_t>(extra, field);
        field += 8;
      }
      return;
    }
    at += size;
  }
  if (needed) fail_input("zip entry \"" + name + "\" refers to a zip64 field that it does not have");
}

/// Checks the local header against the directory and returns where the data begins.
std::uint64_t data_begin(std::span<const std::byte> file, std::uint64_t limit, std::uint64_t header,
                         std::string_view name, std::uint16_t method) {
  const std::string shown = base::printable(name);
  if (header > limit || limit - header < kLocalSize || load<std::uint32_t>(file, header) != kLocalSignature) {
    fail_input("zip entry \"" + shown + "\" has no header where the directory says");
  }
  const std::uint64_t name_size = load<std::uint16_t>(file, header + 26);
  const std::uint64_t extra_size = load<std::uint16_t>(file, header + 28);
  if (limit - header - kLocalSize < name_size + extra_size)
    fail_input("zip entry \"" + shown + "\" lies outside the archive");
  if (text(file.subspan(header + kLocalSize, name_size)) != name ||
      load<std::uint16_t>(file, header + 8) != method) {
    fail_input("zip entry \"" + shown + "\" differs between its header and the directory");
  }
  return header + kLocalSize + name_size + extra_size;
}

constexpr auto kCrcTables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
    tables[0][i] = value;
  }
  for (std::size_t t = 1; t < 8; ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      tables[t][i] = (tables[t - 1][i] >> 8U) ^ tables[0][tables[t - 1][i] & 0xFFU];
    }
  }
  return tables;
}();

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes) {
  // Eight bytes at a time (Kounavis and Berry, "slicing-by-8"): weights are gigabytes.
  std::uint32_t crc = 0xFFFFFFFFU;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const auto word = load<std::uint64_t>(bytes, i) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kCrcTables[7 - k][word >> (8 * k) & 0xFFU];
  }
  for (; i < bytes.size(); ++i)
    crc = (crc >> 8U) ^ kCrcTables[0][(crc ^ std::to_integer<std::uint32_t>(bytes[i])) & 0xFFU];
  return ~crc;
}

bool ZipArchive::looks_like_zip(std::span<const std::byte> file) {
  return file.size() >= 4 &&
         (load<std::uint32_t>(file, 0) == kLocalSignature || load<std::uint32_t>(file, 0) == kEndSignature);
}

ZipArchive::ZipArchive(std::span<const std::byte> file) : file_(file) {
  const Directory directory = find_directory(file);
  std::uint64_t at = directory.offset;
  const std::uint64_t directory_end = directory.offset + directory.size;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    if (directory_end - at < kCentralSize || load<std::uint32_t>(file, at) != kCentralSignature) {
      fail_input("the zip archive's directory breaks off at entry " + std::to_string(i));
    }
    const std::uint64_t name_size = load<std::uint16_t>(file, at + 28);
    const std::uint64_t extra_size = load<std::uint16_t>(file, at + 30);
    const std::uint64_t comment_size = load<std::uint16_t>(file, at + 32);
    if (directory_end - at - kCentralSize < name_size + extra_size + comment_size) {
      fail_input("the zip archive's directory breaks off inside entry " + std::to_string(i));
    }
    std::string name(text(file.subspan(at + kCentralSize, name_size)));
    const std::string shown = base::printable(name);
    Wide wide{load<std::uint32_t>(file, at + 24), load<std::uint32_t>(file, at + 20),
              load<std::uint32_t>(file, at + 42)};
    read_zip64(file.subspan(at + kCentralSize + name_size, extra_size), wide, shown);
    Entry entry;
    entry.header = wide.header;
    entry.size = wide.compressed;
    entry.crc = load<std::uint32_t>(file, at + 16);
    entry.method = load<std::uint16_t>(file, at + 10);
    entry.encrypted = (load<std::uint16_t>(file, at + 8) & 1U) != 0;
    entry.begin = data_begin(file, directory.offset, entry.header, name, entry.method);
    if (entry.size > directory.offset - entry.begin)
      fail_input("zip entry \"" + shown + "\" lies outside the archive");
    if (entry.method == 0 && wide.uncompressed != wide.compressed) {
      fail_input("zip entry \"" + shown + "\" is stored but claims two sizes");
    }
    ranges.emplace_back(entry.header, entry.begin + entry.size);
    if (!entries_.emplace(std::move(name), entry).second)
      fail_input("two zip entries are named \"" + shown + "\"");
    at += kCentralSize + name_size + extra_size + comment_size;
  }
  if (at != directory_end) fail_input("the zip archive's directory holds more than its entries");
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) fail_input("entries of the zip archive overlap");
  }
}

std::span<const std::byte> ZipArchive::read(std::string_view name) const {
  const auto found = entries_.find(name);
  const std::string shown = "zip entry \"" + base::printable(name) + "\"";
  if (found == entries_.end()) fail_input(shown + " is missing");
  const Entry& entry = found->second;
  if (entry.encrypted) fail_input(shown + " is encrypted");
  if (entry.method != 0) {
    fail_input(shown + " is compressed (method " + std::to_string(entry.method) +
               "), which torch.save never does to weights; load and save the file again with torch");
  }
  const std::span<const std::byte> bytes = file_.subspan(entry.begin, entry.size);
  if (crc32(bytes) != entry.crc)
    fail_input(shown + " is damaged: its checksum does not match; fetch the file again");
  return bytes;
}

}  // namespace quasar::checkpoint
