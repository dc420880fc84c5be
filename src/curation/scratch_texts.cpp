#include "curation/scratch_texts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>

#include "base/errors.h"
#include "base/packer.h"
#include "base/read_at.h"

namespace quasar::curation {
namespace {

constexpr std::size_t kTextBlock = std::size_t{1} << 18U;

[[noreturn]] void fail(base::ExitCode code, const char* what, const std::filesystem::path& path) {
  base::fail(code, std::string("cannot ") + what + " " + path.string() + ": " + std::strerror(errno));
}

}  // namespace

ScratchTexts::ScratchTexts(std::filesystem::path path) : path_(std::move(path)) {
  file_ = base::Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file_.is_open()) fail(base::ExitCode::kOutput, "create", path_);
}

ScratchTexts::~ScratchTexts() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

void ScratchTexts::append(std::string_view text) {
  if (size_++ % kStretch == 0) index_.push_back(flushed_ + buffer_.size());
  base::pack_text(text, buffer_);
  if (buffer_.size() >= kTextBlock) flush();
}

void ScratchTexts::flush() {
  for (std::size_t written = 0; written < buffer_.size();) {
    const auto count = ::write(file_.number(), buffer_.data() + written, buffer_.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail(base::ExitCode::kOutput, "write", path_);
    written += static_cast<std::size_t>(count);
  }
  flushed_ += buffer_.size();
  buffer_.clear();
}

void ScratchTexts::finish() {
  flush();
  std::string().swap(buffer_);
}

ScratchTexts::Cursor::Cursor(const ScratchTexts& texts, std::size_t first) : texts_(texts), offset_(0) {
  if (first >= texts.size_) return;
  offset_ = texts.index_[first / kStretch];
  skip(first % kStretch);
}

void ScratchTexts::Cursor::skip(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) next();
}

void ScratchTexts::Cursor::fill(std::size_t bytes) {
  if (buffer_.size() - at_ >= bytes) return;
  buffer_.erase(0, at_);
  at_ = 0;
  const std::size_t there = buffer_.size();
  buffer_.resize(std::max(bytes, kTextBlock / 16));
  const auto read =
      base::read_at(texts_.file_, offset_, std::as_writable_bytes(std::span(buffer_).subspan(there)));
  errno = read.error;
  if (read.error != 0) fail(base::ExitCode::kInput, "read", texts_.path_);
  offset_ += read.bytes;
  buffer_.resize(there + read.bytes);
  if (buffer_.size() < bytes)
    base::fail(base::ExitCode::kInput, texts_.path_.string() + " is shorter than it was written");
}

std::string_view ScratchTexts::Cursor::next() {
  std::uint32_t size = 0;
  fill(sizeof size);
  std::memcpy(&size, buffer_.data() + at_, sizeof size);
  fill(sizeof size + size);
  const std::string_view text(buffer_.data() + at_ + sizeof size, size);
  at_ += sizeof size + size;
  return text;
}

std::string ScratchTexts::at(std::size_t place) const {
  QUASAR_CHECK(place < size_);
  return std::string(Cursor(*this, place).next());
}

}  // namespace quasar::curation
