// Owns reading of the bytes of a shard's images, from plain files and from tars.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "corpus/item.h"

namespace quasar::corpus {

/// What became of reading one image's bytes.
struct ReadOutcome {
  base::RowStatus status = base::RowStatus::kOk;
  std::string error;  ///< Empty when ok.
};

/// Reads images by their place in a shard. Thread-safe. Each image is read once, in one piece; of tars, what
/// comes next is asked for ahead. Pipes, devices and folders are refused without waiting for them.
class ShardReader {
 public:
  /// Files and members over `max_file_bytes` are not read.
  ShardReader(std::vector<Item> items, std::uint64_t max_file_bytes);
  ~ShardReader();
  ShardReader(const ShardReader&) = delete;
  ShardReader& operator=(const ShardReader&) = delete;

  std::size_t size() const;
  const Item& item(std::size_t index) const;

  /// Where bytes are to be put; nothing when the caller has no room, which is then the outcome.
  struct Room {
    ReadOutcome outcome;
    std::span<std::byte> bytes;  ///< As many as were asked for, when the outcome is ok.
  };
  /// Asked once, for so many bytes, when an image is about to be read.
  using MakeRoom = std::function<Room(std::uint64_t)>;

  /// The bytes of an image into the room that is made for them; `size` is how many, 0 unless ok. Statuses,
  /// but for the room's own, as for the other.
  ReadOutcome read(std::size_t index, const MakeRoom& make_room, std::uint64_t& size) const;
  /// The bytes of an image into `bytes` (left empty unless ok). Statuses: kMissing, kUnreadable, kEmpty,
  /// kTooManyBytes; for members of tars also kArchiveCorrupt, when the tar ends inside the member or holds
  /// another member there than when the plan was made. Throws nothing for bad data.
  ReadOutcome read(std::size_t index, std::vector<std::byte>& bytes) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quasar::corpus
