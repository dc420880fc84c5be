// Owns the sort of more rows than fit into memory, over all ranks.
//
// Every rank adds its records in any order; each full buffer is sorted (radix sort on the key, ties by id)
// and written to a run file. The ranks then agree on splitters drawn from the runs, and each merges its own
// slice of the order straight out of the runs of all ranks, so a record is written once and read once. The
// run files lie in one folder that all ranks see. Which records end up in which slice depends on the number
// of ranks; the order of all slices after one another does not.
//
// By hand, because no library that we have sorts on disk over MPI.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include "comm/communicator.h"

namespace quasar::curation {

/// Key whose ascending order is the descending order of scores; -0 equals 0, and NaN comes last as kNoScore.
std::uint32_t descending_key(float score);
inline constexpr std::uint32_t kNoScore = 0xFFFFFFFFU;

/// Records are ordered by (key, id as bytes, row).
struct SortRecord {
  std::uint32_t key = 0;
  std::uint64_t row = 0;     ///< Number of the row in the plan; no two records have the same.
  bool counted = false;      ///< Whether SortedSlice::counted_before() counts it.
  std::string_view id;       ///< Up to 1 MiB.
  std::string_view payload;  ///< Travels with the record; up to 64 MiB.
};

/// This rank's part of the global order, read once from front to back.
class SortedSlice {
 public:
  SortedSlice(SortedSlice&&) noexcept;
  SortedSlice& operator=(SortedSlice&&) noexcept;
  ~SortedSlice();

  /// Position of the first record of this slice in the global order, and number of records in it.
  std::uint64_t first() const;
  std::uint64_t size() const;
  /// Number of counted records before this slice.
  std::uint64_t counted_before() const;

  /// The next record in order; false at the end. Its views live until the next call. Throws Error(kInput)
  /// when a run file is damaged.
  bool next(SortRecord& record);
  /// Begins anew with the first record. Throws Error(kInput) when a run file cannot be read.
  void rewind();
  /// Position in the global order of the first record, in whatever slice, that has the key of the record that
  /// next() gave last.
  std::uint64_t first_of_key() const;

 private:
  friend class DistributedSort;
  struct Impl;
  explicit SortedSlice(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One sort. Construction and finish() are collective.
class DistributedSort {
 public:
  /// Merges read from at most this many runs at once: more open files than that are not granted everywhere.
  static constexpr std::uint64_t kLargestFanIn = 512;

  /// `folder` exists, is seen by all ranks and takes the run files, which are removed at the end. `memory`
  /// bounds this rank's buffers in bytes (at least room for one record is taken). `most_open`: files that
  /// this rank may read at once, at least 2; any number of ranks and runs is merged, in several levels if
  /// need be.
  DistributedSort(std::filesystem::path folder, std::uint64_t memory, const comm::Communicator& comm,
                  std::uint64_t most_open = kLargestFanIn);
  ~DistributedSort();
  DistributedSort(const DistributedSort&) = delete;
  DistributedSort& operator=(const DistributedSort&) = delete;

  /// Takes a copy. Not collective. Throws Error(kOutput) when a run cannot be written, Error(kInput) when id
  /// or payload are longer than allowed.
  void add(const SortRecord& record);

  /// Ends adding; call once. The slice refers to files of this object, which must outlive it on every rank.
  SortedSlice finish();

  /// Run files this rank has written, merges of runs included.
  std::uint64_t runs_written() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quasar::curation
