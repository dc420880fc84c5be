// Owns the measurement of how many altered copies of photos each search for duplicates finds, and how many
// distinct photos it takes for copies.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "distort/alterations.h"
#include "encoder/encoder.h"

namespace quasar::pipeline {

struct CopyRecallJob {
  std::vector<std::filesystem::path> folders;  ///< Of photos.
  int count = 200;                   ///< Photos that are altered, evenly spread over the folders' pictures.
  int distinct = 1000;               ///< Photos that are compared with each other, these among them.
  std::vector<int> bits = {31, 63};  ///< Thresholds of PDQ.
  std::vector<double> cosines;       ///< Thresholds of the encoder's cosine.
  int quality = 50;                  ///< Pictures of less are copies of nothing by their hash.
  std::uint64_t seed = 1;            ///< Of the noise.
};

/// One way to find copies, at one threshold.
struct CopySearch {
  std::string name;  ///< "PDQ", "PDQ, 8 poses", "cosine".
  double threshold = 0;
  std::vector<std::uint64_t> found;                            ///< By alteration: copies that are found.
  std::array<double, distort::kAlterationGroups> recall = {};  ///< By group.
  std::uint64_t false_positives = 0;  ///< Pairs of distinct photos within the threshold.
};

/// Two photos that a measure takes for nearest to each other.
struct NearestPhotos {
  std::string name;  ///< As CopySearch::name.
  double value = 0;  ///< Bits, or cosine.
  std::filesystem::path first;
  std::filesystem::path second;
};

struct CopyRecall {
  std::uint64_t altered = 0;                      ///< Photos of which copies were made.
  std::uint64_t distinct = 0;                     ///< Photos that were compared with each other.
  std::uint64_t pairs = 0;                        ///< Of these.
  std::uint64_t flat = 0;                         ///< Of these, whose hash says too little.
  std::map<std::string, std::uint64_t> left_out;  ///< Files by why.
  std::vector<CopySearch> searches;
  std::vector<NearestPhotos> nearest;  ///< One for each name.
};

/// Makes all alterations of `count` photos, in `workers` processes and threads, and looks for them by hash
/// and, with an encoder, by cosine. Throws Error(kInput) for a folder that cannot be read or folders without
/// a picture, Error(kNoResult) when not one picture can be altered.
CopyRecall measure_copy_recall(const CopyRecallJob& job, encoder::Encoder* encoder, int workers);

/// All of it, each alteration's recall among it, as JSON (docs/file-formats.md).
std::string to_json(const CopyRecall& recall);

}  // namespace quasar::pipeline
