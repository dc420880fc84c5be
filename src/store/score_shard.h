// Owns RUN/scores/shard-NNNNNN.h5: the scores of a shard's rows, one dataset per anchor set.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace quasar::store {

struct ScoreShard {
  int shard = 0;
  std::string embeddings_xxh128;                 ///< Content of the embedding shard they were made from.
  std::vector<std::string> names;                ///< Anchor sets, in the order of their columns.
  std::vector<float> scores;                     ///< [n, names], NaN for rows without a score.
  std::vector<std::string> anchor_fingerprints;  ///< Parallel to names.
};

/// Writes /score/NAME [n] float32 each, atomically. Throws Error(kOutput).
void write_score_shard(const std::filesystem::path& path, const ScoreShard& shard);

/// Throws Error(kInput) naming the file for damaged content.
ScoreShard read_score_shard(const std::filesystem::path& path);

/// Fingerprints of the anchor sets that the scores in `path` were made by, by name. Throws as above.
std::map<std::string, std::string> read_score_anchors(const std::filesystem::path& path);

/// Whether `path` holds whole scores, sealed, of this shard as it is embedded now, by these anchors.
bool score_shard_matches(const std::filesystem::path& path, const std::string& embeddings_xxh128, int shard,
                         const std::vector<std::string>& names,
                         const std::vector<std::string>& anchor_fingerprints);

}  // namespace quasar::store
