#include "store/seal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.h"
#include "base/descriptor.h"
#include "base/errors.h"
#include "base/file_status.h"

namespace quasar::store {
namespace {

/// What a person sees who opens the file as text, then the checksum and the end of the line.
constexpr std::string_view kMark = "Quasar: HDF5 after 512 bytes, their xxh128 ";
constexpr std::string_view kSecondMark = "Without the bytes ";
constexpr std::string_view kBetween = ", xxh128 ";
constexpr std::size_t kDigits = 32;

/// A file as it was at some time, and the extent to which it was read.
using Version = std::array<std::int64_t, 6>;

/// What a user block of ours says.
struct Seal {
  std::string all;
  std::vector<ByteRange> vectors;
  std::string rows;  ///< Empty without a second checksum.
};

/// "8760+1048576,1057336+4096"
std::string to_text(std::span<const ByteRange> ranges) {
  std::string text;
  for (const auto& range : ranges)
    text += (text.empty() ? "" : ",") + std::to_string(range.offset) + "+" + std::to_string(range.size);
  return text;
}

std::string to_text(const Seal& seal) {
  std::string text = std::string(kMark) + seal.all + "\n";
  if (seal.rows.empty()) return text;
  return text + std::string(kSecondMark) + to_text(seal.vectors) + std::string(kBetween) + seal.rows + "\n";
}

/// And back.
std::optional<std::vector<ByteRange>> parse_ranges(std::string_view text) {
  std::vector<ByteRange> ranges;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&](std::uint64_t& value) {
    const auto result = std::from_chars(at, end, value);
    if (result.ec != std::errc{}) return false;
    at = result.ptr;
    return true;
  };
  while (at < end) {
    ByteRange range;
    if (!ranges.empty() && *at++ != ',') return std::nullopt;
    if (!number(range.offset) || at == end || *at++ != '+' || !number(range.size)) return std::nullopt;
    ranges.push_back(range);
  }
  return ranges;
}

/// Empty when there is no seal of ours.
std::optional<Seal> from_text(std::string_view text) {
  if (text.size() < kMark.size() + kDigits || !text.starts_with(kMark)) return std::nullopt;
  Seal seal;
  seal.all = text.substr(kMark.size(), kDigits);
  text.remove_prefix(std::min(text.size(), kMark.size() + kDigits + 1));
  if (!text.starts_with(kSecondMark)) return seal;
  text.remove_prefix(kSecondMark.size());
  const auto middle = text.find(kBetween);
  const auto ranges = middle == std::string_view::npos ? std::nullopt : parse_ranges(text.substr(0, middle));
  // Not as it was written: no checksum gives this.
  seal.rows = ranges ? text.substr(middle + kBetween.size(), kDigits) : "damaged";
  if (ranges) seal.vectors = *ranges;
  return seal;
}

base::Descriptor open_file(const std::filesystem::path& path, int flags) {
  return base::Descriptor(::open(path.c_str(), flags | O_CLOEXEC));
}

[[noreturn]] void fail_read(const std::filesystem::path& path, int error) {
  if (error == ENOENT) base::fail(base::ExitCode::kInput, "there is no file " + path.string());
  base::fail(base::ExitCode::kInput, "cannot read " + path.string() + ": " + base::describe_errno(error) +
                                         base::access_note(path, error));
}

/// Reads [first, end) of an open file through.
template <typename Take>
void read_range(int fd, const std::filesystem::path& path, std::uint64_t first, std::uint64_t end,
                const Take& take) {
  std::vector<std::byte> block(std::size_t{1} << 20U);
  while (first < end) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - first));
    const ssize_t count = ::pread(fd, block.data(), wanted, static_cast<off_t>(first));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_read(path, errno);
    if (count == 0) return;
    take(std::span(block).first(static_cast<std::size_t>(count)));
    first += static_cast<std::uint64_t>(count);
  }
}

/// The checksums of a file with these vectors.
struct Sums {
  std::string all;  ///< Empty where only the rows were read.
  std::string rows;
};
Sums sums_of(int fd, const std::filesystem::path& path, std::uint64_t size,
             std::span<const ByteRange> vectors, SealExtent extent) {
  base::Xxh128 all;
  base::Xxh128 rows;
  std::uint64_t at = kSealBytes;
  const auto both = [&](std::span<const std::byte> bytes) {
    if (extent == SealExtent::kAll) all.update(bytes);
    rows.update(bytes);
  };
  // What is left out is sealed, too: other places might hold the same bytes.
  rows.update(to_text(vectors));
  for (const auto& range : vectors) {
    // Ranges of a damaged seal may lie anywhere.
    const std::uint64_t begin = std::clamp(range.offset, at, std::max(at, size));
    const std::uint64_t end = begin + std::min(range.size, std::max(size, begin) - begin);
    read_range(fd, path, at, begin, both);
    if (extent == SealExtent::kAll)
      read_range(fd, path, begin, end, [&](std::span<const std::byte> bytes) { all.update(bytes); });
    at = end;
  }
  read_range(fd, path, at, size, both);
  return {extent == SealExtent::kAll ? all.hex_digest() : "", rows.hex_digest()};
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

void seal_file(const std::filesystem::path& path, std::span<const ByteRange> vectors) {
  const base::Descriptor file = open_file(path, O_RDWR);
  struct stat status {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
    base::fail(base::ExitCode::kOutput, "cannot write " + path.string() + ": " + base::describe_errno(errno));
  }
  const auto sums =
      sums_of(file.number(), path, static_cast<std::uint64_t>(status.st_size), vectors, SealExtent::kAll);
  Seal seal{sums.all, {vectors.begin(), vectors.end()}, vectors.empty() ? "" : sums.rows};
  if (to_text(seal).size() > kSealBytes) seal.rows.clear();
  std::string block = to_text(seal);
  block.resize(kSealBytes, ' ');
  if (::pwrite(file.number(), block.data(), block.size(), 0) != static_cast<ssize_t>(block.size())) {
    base::fail(base::ExitCode::kOutput, "cannot write " + path.string() + ": " + base::describe_errno(errno));
  }
}

SealState check_seal(const std::filesystem::path& path, SealExtent extent, bool anew) {
  const base::Descriptor file = open_file(path, O_RDONLY);
  struct stat status {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) fail_read(path, errno);
  std::array<char, kSealBytes> block{};
  const ssize_t count = ::pread(file.number(), block.data(), block.size(), 0);
  if (count < 0) fail_read(path, errno);
  const auto seal = from_text({block.data(), static_cast<std::size_t>(count)});
  if (!seal) return SealState::kAbsent;
  if (seal->rows.empty()) extent = SealExtent::kAll;
  Version version = {static_cast<std::int64_t>(status.st_dev),
                     static_cast<std::int64_t>(status.st_ino),
                     status.st_size,
                     status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec,
                     static_cast<std::int64_t>(extent)};
  if (!anew && known(version, false)) return SealState::kWhole;
  const auto sums =
      sums_of(file.number(), path, static_cast<std::uint64_t>(status.st_size), seal->vectors, extent);
  const bool whole = (extent == SealExtent::kRows || sums.all == seal->all) &&
                     (seal->rows.empty() || sums.rows == seal->rows);
  if (!whole) return SealState::kBroken;
  known(version, true);
  // Who has read all has read the rows.
  version.back() = static_cast<std::int64_t>(SealExtent::kRows);
  known(version, true);
  return SealState::kWhole;
}

}  // namespace quasar::store
