// Internal to the module: owns the rows that k-means trains on: which of a source's rows they are, where they
// lie in the global order, and passes over them by all threads of the rank, from memory or streamed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "cluster/row_source.h"
#include "cluster/thread_team.h"
#include "comm/communicator.h"

namespace quasar::cluster {

/// Rows with consecutive numbers at consecutive places of a source.
struct RowRun {
  std::int64_t number = 0;
  std::int64_t index = 0;
  std::int64_t length = 0;
};

/// A few rows that lie together in memory, handed to one thread.
struct RowTile {
  std::span<const float> values;          ///< [n, d]
  std::span<const std::int64_t> numbers;  ///< [n]
  std::span<const std::int64_t> indices;  ///< [n], places in the source.
};

/// How a pass holds the rows.
struct RowBudget {
  std::uint64_t bytes = 0;   ///< For rows in memory: all of them when they fit, else two chunks.
  bool fingerprint = false;  ///< Whether to hash the rows.
};

class TrainingRows {
 public:
  /// Reads every row once: leaves out those with values that are not finite, and keeps the rest in memory
  /// when that fits. Collective.
  TrainingRows(RowSource& source, const RowBudget& budget, ThreadTeam& team, const comm::Communicator& comm);

  std::int64_t total() const { return total_; }            ///< Rows of all ranks.
  std::int64_t not_finite() const { return not_finite_; }  ///< Rows of all ranks left out.
  double largest() const { return largest_; }              ///< Magnitude among all ranks' rows.
  std::uint64_t fingerprint() const { return fingerprint_; }
  std::size_t dimension() const { return source_.dimension(); }

  /// Keeps only the rows at these places of the global order of numbers, and reads those into memory when
  /// all did not fit but these do. Collective.
  void keep(std::span<const std::int64_t> positions);
  /// The rows at these places [n, d], on every rank. Collective.
  std::vector<float> at(std::span<const std::int64_t> positions);
  /// The rows at these places of this rank's source (-1: held by another rank) [n, d], on every rank.
  /// Collective.
  std::vector<float> fetch(std::span<const std::int64_t> indices);

  /// Hands every row of this rank to a thread, in tiles of at most `tile_rows`. Not collective. Throws
  /// Error(kInput) when a row has changed to not finite.
  void for_each(std::int64_t tile_rows, const std::function<void(int, const RowTile&)>& work);

  /// Bytes of the two buffers, or of the rows kept, in use.
  std::uint64_t row_bytes() const;
  static std::int64_t chunk_rows(std::uint64_t budget, std::size_t dimension);

 private:
  struct Chunk;
  struct Cursor;

  void for_each_chunk(bool all, const std::function<void(const Chunk&)>& work);
  void scan_chunk(const Chunk& chunk);
  bool fits(std::int64_t rows) const;
  /// Places in the source (or -1) of the rows at the given places of the global order.
  std::vector<std::int64_t> locate(std::span<const std::int64_t> positions) const;

  RowSource& source_;
  RowBudget budget_;
  ThreadTeam& team_;
  const comm::Communicator& comm_;
  std::vector<RowRun> runs_;       ///< Rows in use, by index.
  std::vector<float> kept_;        ///< All rows of the source, or those of runs_ one after the other.
  std::vector<float> buffers_[2];  ///< Of streamed chunks, kept from pass to pass.
  bool kept_all_ = false;
  bool kept_runs_ = false;
  std::int64_t total_ = 0;
  std::int64_t not_finite_ = 0;
  double largest_ = 0;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace quasar::cluster
