#include "curation/run_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/errors.h"
#include "base/file_status.h"

namespace quasar::curation {
namespace {

constexpr std::size_t kWriteBuffer = std::size_t{1} << 20U;
constexpr std::size_t kLeastPiece = std::size_t{16} << 10U;
constexpr std::size_t kLargestPiece = std::size_t{4} << 20U;

/// Throws Error(kOutput) where the file is to be made, Error(kInput) else.
base::Descriptor open_run(const std::filesystem::path& path, int flags) {
  base::Descriptor file(::open(path.c_str(), flags | O_CLOEXEC, 0666));
  if (file.is_open()) return file;
  const int error = errno;
  const bool writing = (flags & O_CREAT) != 0;
  base::fail(writing ? base::ExitCode::kOutput : base::ExitCode::kInput,
             std::string("cannot ") + (writing ? "create" : "open") + " the temporary file " + path.string() +
                 ": " + base::describe_errno(error) + base::access_note(path, error));
}

}  // namespace

RunWriter::RunWriter(const std::filesystem::path& path, std::uint64_t stretch)
    : file_(open_run(path, O_WRONLY | O_CREAT | O_TRUNC)), stretch_(stretch) {
  run_.path = path;
  buffer_.reserve(kWriteBuffer);
}

void RunWriter::write(const RecordHead& head, std::string_view id, std::string_view bytes) {
  if (run_.end.offset >= next_entry_) {
    run_.index.push_back({{head.key, head.row, std::string(id)}, run_.end});
    next_entry_ = run_.end.offset + stretch_;
  }
  if (buffer_.size() + bytes.size() > kWriteBuffer) flush();
  buffer_.append(bytes);
  run_.end.offset += bytes.size();
  ++run_.end.records;
  run_.end.counted += head.counted;
}

void RunWriter::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t written = ::write(file_.number(), buffer_.data() + done, buffer_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_write(errno);
    done += static_cast<std::size_t>(written);
  }
  buffer_.clear();
}

void RunWriter::fail_write(int error) const {
  base::fail(base::ExitCode::kOutput,
             "cannot write the temporary file " + run_.path.string() + ": " + base::describe_errno(error));
}

Run RunWriter::finish() {
  flush();
  if (const int error = file_.close(); error != 0) fail_write(error);
  return std::move(run_);
}

RunReader::RunReader(const std::filesystem::path& path, std::uint64_t begin, std::uint64_t end,
                     std::size_t buffer)
    : path_(path), file_(open_run(path, O_RDONLY)), left_(end - begin), offset_(begin), piece_(buffer) {}

void RunReader::fail_damaged() const {
  base::fail(base::ExitCode::kInput, "the temporary file " + path_.string() +
                                         " is not what was written: it ends or changes near byte " +
                                         std::to_string(offset_));
}

void RunReader::need(std::size_t size) {
  if (filled_ - at_ >= size) return;
  const std::size_t kept = filled_ - at_;
  const std::size_t capacity = std::max(size, piece_);
  if (at_ != 0) std::memmove(buffer_.data(), buffer_.data() + at_, kept);
  if (buffer_.size() < capacity) buffer_.resize(capacity);
  at_ = 0;
  filled_ = kept;
  while (filled_ < size) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer_.size() - filled_));
    if (wanted == 0) fail_damaged();
    const ssize_t got =
        ::pread(file_.number(), buffer_.data() + filled_, wanted, static_cast<off_t>(offset_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      base::fail(base::ExitCode::kInput,
                 "cannot read the temporary file " + path_.string() + ": " + base::describe_errno(errno));
    }
    if (got == 0) fail_damaged();
    filled_ += static_cast<std::size_t>(got);
    offset_ += static_cast<std::uint64_t>(got);
    left_ -= static_cast<std::uint64_t>(got);
  }
}

bool RunReader::next() {
  if (started_) at_ += head_.size();
  started_ = true;
  if (at_ == filled_ && left_ == 0) return false;
  need(sizeof(RecordHead));
  std::memcpy(&head_, buffer_.data() + at_, sizeof head_);
  if (head_.id_size > kLargestId || head_.payload_size > kLargestPayload) fail_damaged();
  need(head_.size());
  return true;
}

RunPosition find_bound(const Run& run, const OrderKey& bound) {
  const auto not_before = [&](const Run::Entry& entry) {
    return !comes_before(entry.first.key, entry.first.id, entry.first.row, bound.key, bound.id, bound.row);
  };
  const auto after = std::find_if(run.index.begin(), run.index.end(), not_before);
  if (after == run.index.begin()) return {};
  // The stretch before it starts before the bound: walk it.
  RunPosition position = std::prev(after)->position;
  const std::uint64_t end = after == run.index.end() ? run.end.offset : after->position.offset;
  RunReader reader(run.path, position.offset, end, kLeastPiece * 4);
  while (reader.next()) {
    const RecordHead& head = reader.head();
    if (!comes_before(head.key, reader.id(), head.row, bound.key, bound.id, bound.row)) return position;
    position.offset += head.size();
    ++position.records;
    position.counted += head.counted;
  }
  return position;
}

RunMerger::RunMerger(std::span<const Part> parts, std::uint64_t memory) {
  const std::uint64_t share = memory / std::max<std::size_t>(parts.size(), 1);
  const auto piece = static_cast<std::size_t>(std::clamp<std::uint64_t>(share, kLeastPiece, kLargestPiece));
  readers_.reserve(parts.size());
  for (const auto& part : parts) {
    if (part.begin == part.end) continue;
    RunReader reader(part.path, part.begin, part.end, piece);
    reader.next();
    readers_.push_back(std::move(reader));
    heap_.push_back({readers_.back().head().key, static_cast<std::uint32_t>(readers_.size() - 1)});
  }
  for (std::size_t place = heap_.size() / 2; place-- > 0;) sift_down(place);
}

bool RunMerger::before(const Entry& a, const Entry& b) const {
  if (a.key != b.key) return a.key < b.key;
  const RunReader& x = readers_[a.reader];
  const RunReader& y = readers_[b.reader];
  const int order = x.id().compare(y.id());
  return order != 0 ? order < 0 : x.head().row < y.head().row;
}

void RunMerger::sift_down(std::size_t place) {
  const Entry moving = heap_[place];
  while (true) {
    std::size_t child = 2 * place + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], moving)) break;
    heap_[place] = heap_[child];
    place = child;
  }
  heap_[place] = moving;
}

bool RunMerger::next() {
  if (heap_.empty()) return false;
  if (!started_) {
    started_ = true;
    return true;
  }
  RunReader& reader = readers_[heap_.front().reader];
  if (reader.next()) {
    heap_.front().key = reader.head().key;
  } else {
    heap_.front() = heap_.back();
    heap_.pop_back();
    if (heap_.empty()) return false;
  }
  sift_down(0);
  return true;
}

}  // namespace quasar::curation
