// Owns the schema versions of the module's files: what a file of each kind is written as, and what of earlier
// versions is read. A reader accepts every version that it knows; what a version lacks has the value that its
// field's comment names.
#pragma once

#include <cstdint>

namespace quasar::store {

struct Schema {
  const char* kind;      ///< As the attribute "kind" says after "quasar ".
  std::int64_t present;  ///< Written.
  std::int64_t oldest = 1;

  bool reads(std::int64_t version) const { return version >= oldest && version <= present; }
};

/// 2: typed members of a row (deviation, split, distortion), and a second checksum that covers the rows; the
/// attribute computed_on may be missing. 3: a row's format and perceptual hash.
inline constexpr Schema kEmbeddingShardSchema{"embedding shard", 3};
inline constexpr Schema kScoreShardSchema{"score shard", 1};
inline constexpr Schema kAnchorFileSchema{"anchor file", 1};
inline constexpr Schema kVirtualDatasetSchema{"virtual dataset", 1};

}  // namespace quasar::store
