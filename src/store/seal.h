// Owns the seal of the module's files: the first bytes of an HDF5 file (its user block) belong to whoever
// writes it, and ours hold the checksum of all that follows. HDF5 itself checks neither texts nor attributes,
// and some damaged ones crash it: a file is handed to it after its seal was found whole. Files of which most
// are vectors have a second checksum, over all but those, so that their rows can be trusted without reading
// everything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace quasar::store {

/// Size of the user block, the smallest that HDF5 allows.
inline constexpr std::uint64_t kSealBytes = 512;

enum class SealState {
  kWhole,
  kBroken,  ///< The bytes are not those that were sealed.
  kAbsent,  ///< No seal of ours: a file of another program, or of a version that sealed none.
};

/// False when there is no such file. Throws Error(kInput) for one that is there and cannot be opened: not
/// being allowed to read it, or an error of the disk, makes it no missing or damaged file that may be
/// replaced.
bool is_readable(const std::filesystem::path& path);

/// Bytes of a file.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// Seals a closed file whose first kSealBytes are free. `vectors`: ranges that the second checksum leaves
/// out, ascending; it is left away where they are too many for its room. Throws Error(kOutput).
void seal_file(const std::filesystem::path& path, std::span<const ByteRange> vectors = {});

/// What of a file is read for its seal.
enum class SealExtent {
  kAll,
  kRows,  ///< All but the vectors; a file without a second checksum is read as a whole.
};

/// Reads the file, unless it was found whole to that extent before and has not changed since (`anew`: in any
/// case). Throws Error(kInput) for a file that is missing or cannot be read. Thread-safe.
SealState check_seal(const std::filesystem::path& path, SealExtent extent = SealExtent::kAll,
                     bool anew = false);

}  // namespace quasar::store
