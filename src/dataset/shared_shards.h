// Owns the place where runs share embedded shards (key `embeddings` of a configuration): files named after
// what they hold, so that the same pictures, embedded the same way, are embedded once, whatever the run.
//
// FOLDER/ADDRESS/ab/abcdef....h5: ADDRESS stands for the settings, as settings.json beside the shards tells
// people; the file's name is the SHA-256 of the shard's items as a plan freezes them. Runs have files of
// their own: hard links, or copies where those cannot be. So nothing that happens to the place harms a run.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "dataset/data_set.h"

namespace quasar::dataset {

/// Thread-safe.
class SharedShards {
 public:
  /// `settings`: all that embeddings depend on beside the pictures, as text.
  SharedShards(const std::filesystem::path& folder, std::string settings);

  /// Makes the folder. Throws Error(kOutput).
  void prepare() const;

  /// Whether there is a shard of these items.
  bool holds(const corpus::Shard& shard) const;
  /// Takes over the shard of these items into the data set, if it is whole and its pictures are still those
  /// that were embedded: all their bytes are read, by `threads` threads, and their hashes compared. False,
  /// with a line in the log that says why, when it is not taken. Throws Error(kInterrupted) on a wish to
  /// stop.
  bool take(const DataSet& set, const corpus::Shard& shard, std::uint64_t max_file_bytes, int threads) const;
  /// Leaves a finished shard of the data set for other runs, in place of the one that is there if `anew`. A
  /// failure costs the others' time alone: it is logged, once.
  void offer(const DataSet& set, const corpus::Shard& shard, bool anew) const;

 private:
  std::filesystem::path path_of(const corpus::Shard& shard) const;

  std::filesystem::path folder_;
  std::string settings_;
  mutable std::atomic<bool> warned_{false};
};

}  // namespace quasar::dataset
