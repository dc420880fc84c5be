// Owns anchor files: the centroids of good and bad pictures, where they come from, and whose embeddings they
// are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "store/embedding_shard.h"

namespace quasar::store {

struct AnchorSet {
  std::string name;
  std::vector<float> good;  ///< [pairs, d], as averaged: not normalised.
  std::vector<float> bad;   ///< [pairs, d]
  /// Centroids of bootstrap draws, [draws, pairs, d]; empty without (also in files of earlier versions).
  std::vector<float> good_draws;
  std::vector<float> bad_draws;
  std::vector<float> neighbours;  ///< [clusters, d], of both sides; empty where nearness was not asked for.
  double nearness_floor = 0;      ///< A cosine to the nearest of them below it is out of distribution.
  std::size_t dimension = 0;
  base::EncoderIdentity encoder;
  std::string recipe;                          ///< YAML text of the configuration section it was built from.
  std::map<std::string, std::int64_t> counts;  ///< Rows read, failed, chosen, averaged.
  std::map<std::string, double> statistics;    ///< Of the labels; empty without labels.

  std::size_t pairs() const { return dimension == 0 ? 0 : good.size() / dimension; }
  std::size_t draws() const { return good.empty() ? 0 : good_draws.size() / good.size(); }
};

/// Writes atomically. Throws Error(kOutput).
void write_anchor_file(const std::filesystem::path& path, const AnchorSet& set);

/// Throws Error(kInput), naming the file and what is wrong, for a file that is none of ours, shapes that do
/// not agree, or values that are not finite.
AnchorSet read_anchor_file(const std::filesystem::path& path);

/// SHA-256 over centroids, draws, neighbours and encoder: equal fingerprints give equal scores.
std::string anchor_fingerprint(const AnchorSet& set);

}  // namespace quasar::store
