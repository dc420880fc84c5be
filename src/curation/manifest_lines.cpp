#include "curation/manifest_lines.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "base/activity.h"
#include "base/errors.h"
#include "base/file_status.h"
#include "base/read_at.h"
#include "base/stop_signal.h"

namespace quasar::curation {
namespace {

constexpr std::size_t kReadAtOnce = std::size_t{4} << 20U;

}  // namespace

ManifestLines::ManifestLines(std::filesystem::path path)
    : path_(std::move(path)), file_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat status {};
  if (!file_.is_open() || ::fstat(file_.number(), &status) != 0) {
    const int error = errno;
    base::fail(base::ExitCode::kInput, path_.string() + " cannot be read (" + base::describe_errno(error) +
                                           "): \"quasar rank\" writes it, where curation.manifest has jsonl" +
                                           base::access_note(path_, error));
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

std::string ManifestLines::text(std::uint64_t offset, std::uint64_t length) const {
  std::string text(static_cast<std::size_t>(length), '\0');
  const auto read = base::read_at(file_, offset, std::as_writable_bytes(std::span(text)));
  if (read.error != 0) {
    base::fail(base::ExitCode::kInput,
               "cannot read " + path_.string() + ": " + base::describe_errno(read.error));
  }
  if (read.bytes != text.size())
    base::fail(base::ExitCode::kInput, path_.string() + " became shorter while it was read");
  return text;
}

ManifestLines::Cursor::Cursor(const ManifestLines& lines, std::uint64_t begin, std::uint64_t end)
    : lines_(lines), end_(end), start_(begin == 0 ? 0 : begin - 1) {
  std::size_t length = 0;
  if (begin == 0) return;
  // A line that begins before is another part's: what precedes `begin` is its last byte, or one of it.
  if (begin < end && find_line(length)) {
    at_ = length + 1;
  } else {
    end_ = 0;
  }
}

bool ManifestLines::Cursor::find_line(std::size_t& length) {
  std::size_t from = at_;
  while (true) {
    const auto found = buffer_.find('\n', from);
    if (found != std::string::npos) {
      length = found - at_;
      return true;
    }
    const std::uint64_t read = start_ + buffer_.size();
    if (read >= lines_.size()) return false;
    base::end_if_stopped();
    base::note_activity();
    buffer_.erase(0, at_);
    start_ += at_;
    at_ = 0;
    from = buffer_.size();
    buffer_ += lines_.text(read, std::min<std::uint64_t>(kReadAtOnce, lines_.size() - read));
  }
}

bool ManifestLines::Cursor::next() {
  offset_ = start_ + at_;
  if (offset_ >= end_) return false;
  std::size_t length = 0;
  if (!find_line(length)) {
    if (offset_ >= lines_.size()) return false;
    base::fail(base::ExitCode::kMismatch, lines_.path().string() + ", byte " + std::to_string(offset_) +
                                              ": the last line has no end; run \"quasar rank\" again");
  }
  line_ = std::string_view(buffer_).substr(at_, length);
  at_ += length + 1;
  ++number_;
  return true;
}

}  // namespace quasar::curation
