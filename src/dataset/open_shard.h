// Owns one shard while a rank embeds it: its items and what has become of them so far.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "corpus/plan.h"
#include "corpus/shard_reader.h"
#include "dataset/embed.h"
#include "decode/memory_gate.h"
#include "image/raster.h"
#include "store/embedding_shard.h"

namespace quasar::dataset {

class OpenShard;

/// The pictures of consecutive items that are encoded in one call. Slots keep their place whatever fails, so
/// that a row's embedding does not depend on its neighbours.
struct Batch {
  OpenShard* shard = nullptr;
  std::size_t first = 0;
  std::size_t count = 0;
  std::vector<image::RgbImage> images;  ///< Empty until the batch is begun and after it is encoded.
  std::optional<decode::MemoryGate::Claim> claim = {};  ///< What its picture takes, where shapes differ.
  std::size_t undecoded = 0;
};

/// Rows are written by whoever works on them, each row by one thread; the counts are their user's to guard.
class OpenShard {
 public:
  /// Lists the shard's items. `batch_size`: as many are encoded in one call.
  OpenShard(const EmbedJob& job, const corpus::Shard& shard, std::size_t batch_size);
  OpenShard(const OpenShard&) = delete;
  OpenShard& operator=(const OpenShard&) = delete;

  /// Takes over the rows of the shard's present file that need no retry, if there is such a file. Batches
  /// stay as they are, so that the rows that are redone come out as they would have at first.
  void keep_rows(const RetryFailed& retry);
  /// Writes the shard's file.
  void write(const base::EncoderIdentity& identity) const;

  const corpus::Shard& shard() const { return shard_; }
  const corpus::ShardReader& reader() const { return reader_; }
  std::size_t size() const { return reader_.size(); }
  Batch& batch_of(std::size_t row) { return batches_[row / batch_size_]; }
  bool opens_batch(std::size_t row) const { return row % batch_size_ == 0; }
  bool is_kept(std::size_t row) const { return kept_[row] != 0; }
  store::RowRecord& row(std::size_t row) { return rows_[row]; }
  /// Stores a row's embedding, or that it is not finite.
  void keep(std::size_t row, std::span<const float> embedding);

  std::size_t next_item = 0;  ///< The first that no one works on yet.
  std::size_t rows_done = 0;

 private:
  const EmbedJob& job_;
  const corpus::Shard& shard_;
  const corpus::ShardReader reader_;
  const std::size_t batch_size_;
  const std::size_t dimension_;
  std::vector<store::RowRecord> rows_;
  std::vector<float> embeddings_;
  std::vector<char> kept_;                     ///< Rows whose result is there already.
  std::vector<std::string> kept_computed_on_;  ///< What those were computed on.
  std::vector<Batch> batches_;
};

/// What is known of a row before its image is read.
store::RowRecord row_of(const corpus::Item& item);

}  // namespace quasar::dataset
