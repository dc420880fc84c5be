#include "store/seal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "base/checksum.h"
#include "base/descriptor.h"
#include "base/errors.h"
#include "base/file_status.h"

namespace quasar::store {
namespace {

/// What a person sees who opens the file as text, then the checksum and the end of the line.
constexpr std::string_view kMark = "Quasar: HDF5 after 512 bytes, their xxh128 ";
constexpr std::size_t kDigits = 32;

/// A file as it was at some time.
using Version = std::array<std::int64_t, 5>;

base::Descriptor open_file(const std::filesystem::path& path, int flags) {
  return base::Descriptor(::open(path.c_str(), flags | O_CLOEXEC));
}

[[noreturn]] void fail_read(const std::filesystem::path& path, int error) {
  if (error == ENOENT) base::fail(base::ExitCode::kInput, "there is no file " + path.string());
  base::fail(base::ExitCode::kInput, "cannot read " + path.string() + ": " + base::describe_errno(error) +
                                         base::access_note(path, error));
}

bool known(const Version& version, bool add) {
  static std::mutex mutex;
  static std::set<Version> whole;
  const std::scoped_lock lock(mutex);
  if (add) whole.insert(version);
  return whole.contains(version);
}

}  // namespace

bool is_readable(const std::filesystem::path& path) {
  const base::Descriptor file = open_file(path, O_RDONLY);
  if (file.number() >= 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  fail_read(path, errno);
}

void seal_file(const std::filesystem::path& path) {
  std::string block(kMark);
  block += base::xxh128_file(path, kSealBytes) + "\n";
  block.resize(kSealBytes, ' ');
  const base::Descriptor file = open_file(path, O_WRONLY);
  if (file.number() < 0 ||
      ::pwrite(file.number(), block.data(), block.size(), 0) != static_cast<ssize_t>(block.size())) {
    base::fail(base::ExitCode::kOutput, "cannot write " + path.string() + ": " + base::describe_errno(errno));
  }
}

SealState check_seal(const std::filesystem::path& path, bool anew) {
  std::array<char, kMark.size() + kDigits> block{};
  Version version{};
  {
    const base::Descriptor file = open_file(path, O_RDONLY);
    struct stat status {};
    if (file.number() < 0 || ::fstat(file.number(), &status) != 0) fail_read(path, errno);
    const ssize_t count = ::pread(file.number(), block.data(), block.size(), 0);
    if (count < 0) fail_read(path, errno);
    const std::string_view text(block.data(), static_cast<std::size_t>(count));
    if (text.size() < block.size() || !text.starts_with(kMark)) return SealState::kAbsent;
    version = {static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino),
               status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }
  if (!anew && known(version, false)) return SealState::kWhole;
  const std::string_view sealed(block.data() + kMark.size(), kDigits);
  if (base::xxh128_file(path, kSealBytes) != sealed) return SealState::kBroken;
  known(version, true);
  return SealState::kWhole;
}

}  // namespace quasar::store
