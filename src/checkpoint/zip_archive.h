// Internal to the module: entries of a zip archive that lies in memory, as torch.save and TorchScript write
// it.
//
// APPNOTE.TXT 6.3 with zip64. The central directory is checked as a whole: every entry inside the archive,
// none over another, names unique. Only stored entries can be read: nothing is ever decompressed, so that an
// archive cannot grow beyond its file.
//
// By hand, because weights are used where they lie in the mapped file: libraries read entries into buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace quasar::checkpoint {

class ZipArchive {
 public:
  struct Entry {
    std::uint64_t header = 0;  ///< Offset of the local header.
    std::uint64_t begin = 0;   ///< Offset of the data.
    std::uint64_t size = 0;    ///< As stored.
    std::uint32_t crc = 0;
    std::uint16_t method = 0;  ///< 0 is stored.
    bool encrypted = false;
  };

  /// Whether the bytes begin as a zip archive does.
  static bool looks_like_zip(std::span<const std::byte> file);

  /// Reads and checks the directory. `file` must outlive the archive. Throws Error(kInput).
  explicit ZipArchive(std::span<const std::byte> file);

  const std::map<std::string, Entry, std::less<>>& entries() const { return entries_; }
  bool contains(std::string_view name) const { return entries_.contains(name); }
  /// Bytes of a stored entry, their checksum verified. Throws Error(kInput) when it is missing, compressed,
  /// encrypted or damaged.
  std::span<const std::byte> read(std::string_view name) const;

 private:
  std::span<const std::byte> file_;
  std::map<std::string, Entry, std::less<>> entries_;
};

/// CRC-32 (IEEE 802.3, reflected), as zip uses it.
std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace quasar::checkpoint
