// Owns the description of one image of a corpus: which it is and where its bytes lie.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "distort/distortion_table.h"

namespace quasar::corpus {

/// In plans and shards of their first schema, the name among the fields under which a copy's distortion
/// stands.
inline constexpr const char* kFormerDistortionField = "quasar:distortion";

/// One image. `id` is unique in its corpus and stable between runs.
struct Item {
  std::string id;                   ///< Path relative to its root, table id, or "shard.tar/member".
  std::string source;               ///< File that holds the bytes: the image itself or the tar.
  std::string member;               ///< Member name inside the tar; empty for a plain file.
  std::uint64_t offset = 0;         ///< Of the bytes in `source`.
  std::uint64_t size = 0;           ///< Of the bytes; 0 when not known before reading.
  std::optional<double> label;      ///< Mean opinion score or other label, when the corpus has labels.
  std::optional<double> deviation;  ///< Standard deviation of the label.
  std::string split;                ///< "train", "test", ...; empty when none.
  std::string reference;            ///< Name of the reference image this one is made from; empty when none.
  /// A copy that is degraded when read; nothing for an ordinary image.
  std::optional<distort::Distortion> distortion;
  std::vector<std::pair<std::string, std::string>>
      fields;  ///< Passed through to the manifest (url, caption, ...).

  friend bool operator==(const Item&, const Item&) = default;
};

/// Under which ids are looked for where there are too many to hold them; two ids may have the same.
inline std::uint64_t id_hash(std::string_view id) {
  return base::xxh64(id, 0x9E3779B97F4A7C15ULL);
}

}  // namespace quasar::corpus
