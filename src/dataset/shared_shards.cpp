#include "dataset/shared_shards.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/stop_signal.h"
#include "corpus/shard_reader.h"

namespace quasar::dataset {
namespace {

/// Copies of one picture follow each other, which a thread then reads once.
constexpr std::size_t kRowsAtOnce = 64;

/// Larger files are read by one thread at a time, which bounds the memory of them all.
constexpr std::uint64_t kLargeBytes = std::uint64_t{16} << 20U;

/// Gives `to` the content of `from`: the same file where that can be, a copy else.
void link_or_copy(const std::filesystem::path& from, const std::filesystem::path& to) {
  const auto temporary = base::temporary_name(to);
  if (::link(from.c_str(), temporary.c_str()) != 0) {
    std::error_code error;
    std::filesystem::copy_file(from, temporary, error);
    if (error) {
      std::error_code ignored;
      std::filesystem::remove(temporary, ignored);
      base::fail(base::ExitCode::kOutput,
                 fmt::format("cannot copy {} to {}: {}", from.string(), to.string(), error.message()));
    }
  }
  base::publish_file(temporary, to);
}

/// What has become of a row's picture since it was embedded; empty when nothing has.
class PictureCheck {
 public:
  PictureCheck(const corpus::ShardReader& pictures, const std::vector<store::RowRecord>& rows)
      : pictures_(pictures), rows_(rows) {}

  /// Looks at all rows. The first difference found, if any.
  std::optional<std::string> run(int threads) {
    std::vector<std::thread> team;
    for (int i = 1; i < threads; ++i) team.emplace_back([this] { work(); });
    work();
    for (auto& thread : team) thread.join();
    return difference_;
  }

 private:
  void work() {
    std::vector<std::byte> bytes;
    while (!found_ && !base::stop_requested()) {
      const std::size_t first = next_.fetch_add(kRowsAtOnce);
      if (first >= rows_.size()) return;
      Seen seen;
      for (std::size_t row = first; row < std::min(first + kRowsAtOnce, rows_.size()); ++row) {
        if (auto difference = compare(row, bytes, seen)) {
          found_ = true;
          const std::scoped_lock lock(mutex_);
          if (!difference_) difference_ = std::move(difference);
          return;
        }
      }
      base::note_activity();
    }
  }

  struct Seen {
    const corpus::Item* item = nullptr;
    corpus::ReadOutcome outcome;
    std::string hash;
  };

  std::optional<std::string> compare(std::size_t row, std::vector<std::byte>& bytes, Seen& seen) {
    const auto& item = pictures_.item(row);
    if (seen.item == nullptr || seen.item->source != item.source || seen.item->offset != item.offset) {
      seen.item = &item;
      std::unique_lock one_large(large_, std::defer_lock);
      std::uint64_t size = 0;
      const auto make_room = [&](std::uint64_t wanted) -> corpus::ShardReader::Room {
        if (wanted > kLargeBytes) one_large.lock();
        bytes.resize(static_cast<std::size_t>(wanted));
        return {{}, bytes};
      };
      seen.outcome = pictures_.read(row, make_room, size);
      bytes.resize(static_cast<std::size_t>(size));
      seen.hash = seen.outcome.status == base::RowStatus::kOk ? base::xxh128_hex(bytes) : "";
      if (bytes.capacity() > kLargeBytes) std::vector<std::byte>().swap(bytes);
    }
    const auto& record = rows_[row];
    if (record.hash == seen.hash && (!seen.hash.empty() || record.status == seen.outcome.status))
      return std::nullopt;
    return record.id + (seen.hash.empty() ? " cannot be read: " + seen.outcome.error : " has other bytes");
  }

  const corpus::ShardReader& pictures_;
  const std::vector<store::RowRecord>& rows_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> found_{false};
  std::mutex large_;
  std::mutex mutex_;
  std::optional<std::string> difference_;
};

}  // namespace

SharedShards::SharedShards(const std::filesystem::path& folder, std::string settings)
    : folder_(folder / content_address(settings)), settings_(std::move(settings)) {}

void SharedShards::prepare() const {
  base::make_directories(folder_);
  base::write_file_atomically(folder_ / "settings.json", settings_ + "\n");
}

std::filesystem::path SharedShards::path_of(const corpus::Shard& shard) const {
  return folder_ / shard.sha256.substr(0, 2) / (shard.sha256 + ".h5");
}

bool SharedShards::holds(const corpus::Shard& shard) const {
  std::error_code ignored;
  return std::filesystem::exists(path_of(shard), ignored);
}

bool SharedShards::take(const DataSet& set, const corpus::Shard& shard, std::uint64_t max_file_bytes,
                        int threads) const {
  const auto from = path_of(shard);
  if (!store::verify_shard(from) || !store::is_whole_shard(from, shard.sha256, shard.count)) {
    base::log_warning("{} is damaged: its {} images are embedded anew", from.string(), shard.count);
    return false;
  }
  const store::EmbeddingShardReader stored(from, store::Integrity::kRows);
  const auto rows = stored.read_rows(0, stored.size());
  const corpus::ShardReader pictures(set.plan().read_items(shard), max_file_bytes);
  const auto difference = PictureCheck(pictures, rows).run(threads);
  base::end_if_stopped();
  if (difference) {
    base::log_info("shard {}, which another run has embedded, is embedded anew: {}", shard.id, *difference);
    return false;
  }
  link_or_copy(from, set.path(shard));
  return true;
}

void SharedShards::offer(const DataSet& set, const corpus::Shard& shard, bool anew) const {
  const auto to = path_of(shard);
  try {
    if (!anew && store::is_whole_shard(to, shard.sha256, shard.count, store::Integrity::kUnchecked)) return;
    base::make_directories(to.parent_path());
    link_or_copy(set.path(shard), to);
  } catch (const base::Error& error) {
    if (!warned_.exchange(true)) base::log_warning("shards are not left for other runs: {}", error.what());
  }
}

}  // namespace quasar::dataset
