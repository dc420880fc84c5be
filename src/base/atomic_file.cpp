#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/errors.h"
#include "base/file_status.h"
#include "base/process_identity.h"

namespace quasar::base {
namespace {

constexpr std::size_t kBufferSize = std::size_t{1} << 20U;
constexpr std::string_view kMark = ".quasar-tmp.";

/// What another machine's process has not touched for so long is not being written any more.
constexpr std::chrono::hours kAbandoned{48};

[[noreturn]] void fail_output(const std::filesystem::path& path, const char* what, int error) {
  fail(ExitCode::kOutput, "cannot " + std::string(what) + " " + path.string() + ": " + describe_errno(error) +
                              access_note(path.parent_path(), error));
}

bool is_stale(const std::filesystem::path& path) {
  const auto life = look_at(process_named_in(path.filename().string()));
  if (life != ProcessLife::kUnknown) return life == ProcessLife::kDead;
  std::error_code error;
  const auto written = std::filesystem::last_write_time(path, error);
  return !error && std::filesystem::file_time_type::clock::now() - written > kAbandoned;
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor opened(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open()) return;  // The rename has happened; some file systems refuse to open folders.
  ::fsync(opened.number());
}

}  // namespace

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  const std::string name =
      std::string(kMark) + own_tag() + "." + std::to_string(counter++) + "." + path.filename().string();
  return path.parent_path() / name;
}

void publish_file(const std::filesystem::path& temporary, const std::filesystem::path& path) {
  Descriptor file(::open(temporary.c_str(), O_RDONLY | O_CLOEXEC));
  const bool synced = file.is_open() && ::fsync(file.number()) == 0;
  int error = errno;
  file.close();
  if (synced && ::rename(temporary.c_str(), path.c_str()) == 0) {
    sync_folder(path.parent_path());
    return;
  }
  if (synced) error = errno;
  ::unlink(temporary.c_str());
  fail_output(path, synced ? "rename the finished file to" : "flush", error);
}

void remove_stale_temporaries(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> stale;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(kMark) && is_stale(it->path()))
      stale.push_back(it->path());
  }
  for (const auto& path : stale) std::filesystem::remove(path, error);
}

struct AtomicFile::Impl {
  std::filesystem::path path;
  std::filesystem::path temporary;
  Descriptor file;
  std::string buffer;

  void flush() {
    std::size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t written = ::write(file.number(), buffer.data() + done, buffer.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_output(path, "write", errno);
      done += static_cast<std::size_t>(written);
    }
    buffer.clear();
  }
};

AtomicFile::AtomicFile(std::filesystem::path path) : impl_(std::make_unique<Impl>()) {
  impl_->temporary = temporary_name(path);
  impl_->path = std::move(path);
  impl_->file = Descriptor(::open(impl_->temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!impl_->file.is_open()) fail_output(impl_->path, "create", errno);
}

AtomicFile::~AtomicFile() {
  if (!impl_->file.is_open()) return;
  impl_->file.close();
  ::unlink(impl_->temporary.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::write(std::string_view text) {
  impl_->buffer.append(text);
  if (impl_->buffer.size() >= kBufferSize) impl_->flush();
}

void AtomicFile::commit() {
  impl_->flush();
  if (const int error = impl_->file.close(); error != 0) {
    ::unlink(impl_->temporary.c_str());
    fail_output(impl_->path, "close", error);
  }
  publish_file(impl_->temporary, impl_->path);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

std::string read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) fail(ExitCode::kInput, "cannot open " + path.string() + ": " + describe_errno(errno));
  std::string content;
  std::vector<char> buffer(kBufferSize);
  while (true) {
    const ssize_t got = ::read(file.number(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(ExitCode::kInput, "cannot read " + path.string() + ": " + describe_errno(errno));
    if (got == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > max_bytes) {
      fail(ExitCode::kInput,
           path.string() + " is larger than the " + std::to_string(max_bytes) + " bytes allowed here");
    }
  }
}

void make_directories(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder)) {
    fail(ExitCode::kOutput, "cannot create the folder " + folder.string() + ": " +
                                (error ? error.message() : "something else has that name") +
                                access_note(folder, error.value()));
  }
}

}  // namespace quasar::base
