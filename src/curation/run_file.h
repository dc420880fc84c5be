// Internal to the module: sorted runs of records on disk. Owns their format, their sparse index, and merging
// them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "curation/distributed_sort.h"

namespace quasar::curation {

inline constexpr std::size_t kLargestId = std::size_t{1} << 20U;
inline constexpr std::size_t kLargestPayload = std::size_t{64} << 20U;

/// What precedes the id and the payload of a record in memory and on disk.
struct RecordHead {
  std::uint32_t key = 0;
  std::uint32_t id_size = 0;
  std::uint32_t payload_size = 0;
  std::uint32_t counted = 0;
  std::uint64_t row = 0;

  std::size_t size() const { return sizeof(RecordHead) + id_size + payload_size; }
};

/// Place in the order (key, id, row).
struct OrderKey {
  std::uint32_t key = 0;
  std::uint64_t row = 0;
  std::string id;
};

/// Whether record `a` comes before `b`.
inline bool comes_before(std::uint32_t a_key, std::string_view a_id, std::uint64_t a_row, std::uint32_t b_key,
                         std::string_view b_id, std::uint64_t b_row) {
  if (a_key != b_key) return a_key < b_key;
  const int order = a_id.compare(b_id);
  return order != 0 ? order < 0 : a_row < b_row;
}

/// Place in a run, with what lies before it.
struct RunPosition {
  std::uint64_t offset = 0;
  std::uint64_t records = 0;
  std::uint64_t counted = 0;
};

/// A finished run: its file, its end, and the first record of every stretch of some bytes.
struct Run {
  std::filesystem::path path;
  RunPosition end;
  struct Entry {
    OrderKey first;
    RunPosition position;
  };
  std::vector<Entry> index;
};

/// Writes one run in order.
class RunWriter {
 public:
  /// `stretch`: bytes between entries of the index. Throws Error(kOutput) naming the path.
  RunWriter(const std::filesystem::path& path, std::uint64_t stretch);
  /// `bytes` is a whole record, head included, not before any record written so far.
  void write(const RecordHead& head, std::string_view id, std::string_view bytes);
  /// With everything written, for other ranks to see.
  Run finish();

 private:
  void flush();
  [[noreturn]] void fail_write(int error) const;

  Run run_;
  base::Descriptor file_;
  std::uint64_t stretch_;
  std::uint64_t next_entry_ = 0;
  std::string buffer_;
};

/// Reads the records of a run from one offset to another.
class RunReader {
 public:
  RunReader(const std::filesystem::path& path, std::uint64_t begin, std::uint64_t end, std::size_t buffer);

  /// Goes to the next record; false at the end. Throws Error(kInput) when the file is damaged.
  bool next();
  const RecordHead& head() const { return head_; }
  std::string_view id() const { return {buffer_.data() + at_ + sizeof(RecordHead), head_.id_size}; }
  std::string_view payload() const {
    return {buffer_.data() + at_ + sizeof(RecordHead) + head_.id_size, head_.payload_size};
  }
  std::string_view bytes() const { return {buffer_.data() + at_, head_.size()}; }

 private:
  /// Makes `size` bytes from the current record on available in the buffer.
  void need(std::size_t size);
  [[noreturn]] void fail_damaged() const;

  std::filesystem::path path_;
  base::Descriptor file_;
  std::uint64_t left_;    ///< Bytes not yet read from the file.
  std::uint64_t offset_;  ///< In the file, of the next read.
  std::size_t piece_;
  std::vector<char> buffer_;
  std::size_t at_ = 0;
  std::size_t filled_ = 0;
  RecordHead head_;
  bool started_ = false;
};

/// The first record of the run that is not before `bound`.
RunPosition find_bound(const Run& run, const OrderKey& bound);

/// Merges stretches of runs: the record that comes first of all is at front().
class RunMerger {
 public:
  struct Part {
    std::filesystem::path path;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  /// Buffers share `memory` bytes, within limits that keep reads efficient.
  RunMerger(std::span<const Part> parts, std::uint64_t memory);

  /// Goes to the next record in order; false at the end.
  bool next();
  const RunReader& front() const { return readers_[heap_.front().reader]; }

 private:
  struct Entry {
    std::uint32_t key;
    std::uint32_t reader;
  };
  bool before(const Entry& a, const Entry& b) const;
  void sift_down(std::size_t place);

  std::vector<RunReader> readers_;
  std::vector<Entry> heap_;
  bool started_ = false;
};

}  // namespace quasar::curation
