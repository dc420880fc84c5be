#include "corpus/shard_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <mutex>
#include <span>
#include <utility>

#include "base/descriptor.h"
#include "base/errors.h"
#include "corpus/path_text.h"
#include "corpus/sources/tar_reader.h"

namespace quasar::corpus {
namespace {

constexpr std::size_t kTarBlock = 512;
/// Tars kept open: a shard of many small tars must not use up the process's open files.
constexpr std::size_t kOpenTars = 16;
/// Asked for ahead in a tar, each time reading comes to a new stretch of that length.
constexpr std::uint64_t kAhead = std::uint64_t{4} << 20U;

ReadOutcome failed(base::RowStatus status, std::string error) {
  return {status, std::move(error)};
}

class OpenFile {
 public:
  /// Without waiting: opening a pipe for reading would block until somebody writes.
  explicit OpenFile(const std::filesystem::path& path)
      : file_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {
    if (!file_.is_open()) {
      const bool missing = errno == ENOENT || errno == ENOTDIR;
      outcome_ = failed(missing ? base::RowStatus::kMissing : base::RowStatus::kUnreadable,
                        "cannot open it: " + base::describe_errno(errno));
      return;
    }
    struct stat status {};
    if (::fstat(file_.number(), &status) != 0) {
      outcome_ = failed(base::RowStatus::kUnreadable, "cannot look at it: " + base::describe_errno(errno));
    } else if (!S_ISREG(status.st_mode)) {
      outcome_ = failed(base::RowStatus::kUnreadable, S_ISDIR(status.st_mode)
                                                          ? "it is a folder, not a file"
                                                          : "it is a pipe, socket or device, not a file");
    } else {
      size_ = static_cast<std::uint64_t>(status.st_size);
    }
  }

  int fd() const { return file_.number(); }
  std::uint64_t size() const { return size_; }
  /// Ok when it can be read.
  const ReadOutcome& outcome() const { return outcome_; }

 private:
  base::Descriptor file_;
  std::uint64_t size_ = 0;
  ReadOutcome outcome_;
};

/// Reads `header` and `bytes` from `offset` on, in one call unless the kernel cuts it short. The count read,
/// or -1 with errno.
std::int64_t read_at(int fd, std::uint64_t offset, std::span<std::byte> header, std::span<std::byte> bytes) {
  const std::size_t total = header.size() + bytes.size();
  std::size_t done = 0;
  while (done < total) {
    std::array<iovec, 2> parts{};
    int count = 0;
    if (done < header.size())
      parts[static_cast<std::size_t>(count++)] = {header.data() + done, header.size() - done};
    const std::size_t of_bytes = done > header.size() ? done - header.size() : 0;
    if (of_bytes < bytes.size()) {
      parts[static_cast<std::size_t>(count++)] = {bytes.data() + of_bytes, bytes.size() - of_bytes};
    }
    const ssize_t got = ::preadv(fd, parts.data(), count, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<std::int64_t>(done);
}

}  // namespace

struct ShardReader::State {
  std::vector<Item> items;
  std::uint64_t max_bytes = 0;
  std::mutex mutex;
  /// Most recently used first.
  std::list<std::pair<std::string, std::shared_ptr<const OpenFile>>> tars;

  std::shared_ptr<const OpenFile> tar(const std::string& source) {
    const std::scoped_lock lock(mutex);
    const auto found =
        std::find_if(tars.begin(), tars.end(), [&](const auto& entry) { return entry.first == source; });
    if (found != tars.end()) {
      tars.splice(tars.begin(), tars, found);
    } else {
      tars.emplace_front(source, std::make_shared<const OpenFile>(text_to_path(source)));
      if (tars.size() > kOpenTars) tars.pop_back();
    }
    return tars.front().second;
  }

  ReadOutcome too_many(std::uint64_t size) const {
    return failed(base::RowStatus::kTooManyBytes, std::to_string(size) + " bytes, and " +
                                                      std::to_string(max_bytes) +
                                                      " are allowed (decode.max_file_bytes)");
  }

  ReadOutcome read_file(const Item& item, const MakeRoom& make_room, std::uint64_t& size) const;
  ReadOutcome read_member(std::size_t index, const MakeRoom& make_room, std::uint64_t& size);
};

ReadOutcome ShardReader::State::read_file(const Item& item, const MakeRoom& make_room,
                                          std::uint64_t& size) const {
  const OpenFile file(text_to_path(item.source));
  if (file.outcome().status != base::RowStatus::kOk) return file.outcome();
  if (file.size() == 0) return failed(base::RowStatus::kEmpty, "the file has no bytes");
  if (file.size() > max_bytes) return too_many(file.size());
  const auto room = make_room(file.size());
  if (room.outcome.status != base::RowStatus::kOk) return room.outcome;
  const auto got = read_at(file.fd(), 0, {}, room.bytes);
  if (got < 0) return failed(base::RowStatus::kUnreadable, "cannot read it: " + base::describe_errno(errno));
  if (static_cast<std::uint64_t>(got) != file.size()) {
    return failed(base::RowStatus::kUnreadable, "it became shorter while it was read");
  }
  size = file.size();
  return {};
}

ReadOutcome ShardReader::State::read_member(std::size_t index, const MakeRoom& make_room,
                                            std::uint64_t& size) {
  const Item& item = items[index];
  const auto file = tar(item.source);
  if (file->outcome().status != base::RowStatus::kOk) return file->outcome();
  if (item.size == 0) return failed(base::RowStatus::kEmpty, "the member has no bytes");
  if (item.size > max_bytes) return too_many(item.size);
  if (item.offset < kTarBlock || item.offset > file->size() || item.size > file->size() - item.offset) {
    return failed(base::RowStatus::kArchiveCorrupt,
                  "the archive ends at byte " + std::to_string(file->size()) + ", before this member of " +
                      std::to_string(item.size) + " bytes at " + std::to_string(item.offset) + " does");
  }
  const bool new_stretch = index == 0 || items[index - 1].source != item.source ||
                           items[index - 1].offset / kAhead != item.offset / kAhead;
  if (new_stretch) {
    ::posix_fadvise(file->fd(), static_cast<off_t>(item.offset + item.size), static_cast<off_t>(kAhead),
                    POSIX_FADV_WILLNEED);
  }
  // The header lies right before the data; it tells whether this is still the tar that was planned.
  std::array<std::byte, kTarBlock> header{};
  const auto room = make_room(item.size);
  if (room.outcome.status != base::RowStatus::kOk) return room.outcome;
  const auto got = read_at(file->fd(), item.offset - kTarBlock, header, room.bytes);
  if (got < 0) return failed(base::RowStatus::kUnreadable, "cannot read it: " + base::describe_errno(errno));
  if (static_cast<std::uint64_t>(got) != item.size + kTarBlock) {
    return failed(base::RowStatus::kArchiveCorrupt, "the archive became shorter while it was read");
  }
  // Sizes from 8 GiB on stand elsewhere (pax), where the header's own is 0.
  const auto stated = tar_header_size(header);
  if (!is_tar_header(header) || (stated && *stated != 0 && *stated != item.size)) {
    return failed(
        base::RowStatus::kArchiveCorrupt,
        "there is no header of this member before its data; the archive has changed since the plan was made");
  }
  size = item.size;
  return {};
}

ShardReader::ShardReader(std::vector<Item> items, std::uint64_t max_file_bytes)
    : state_(std::make_unique<State>()) {
  state_->items = std::move(items);
  state_->max_bytes = max_file_bytes;
}

ShardReader::~ShardReader() = default;

std::size_t ShardReader::size() const {
  return state_->items.size();
}

const Item& ShardReader::item(std::size_t index) const {
  return state_->items.at(index);
}

ReadOutcome ShardReader::read(std::size_t index, const MakeRoom& make_room, std::uint64_t& size) const {
  size = 0;
  return state_->items.at(index).member.empty() ? state_->read_file(state_->items[index], make_room, size)
                                                : state_->read_member(index, make_room, size);
}

ReadOutcome ShardReader::read(std::size_t index, std::vector<std::byte>& bytes) const {
  std::uint64_t size = 0;
  // Not emptied before: a buffer used again need not be filled with zeros before it is read into.
  auto outcome = read(
      index,
      [&](std::uint64_t wanted) {
        bytes.resize(static_cast<std::size_t>(wanted));
        return Room{{}, bytes};
      },
      size);
  if (outcome.status != base::RowStatus::kOk) bytes.clear();
  return outcome;
}

}  // namespace quasar::corpus
