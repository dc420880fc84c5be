// Owns reading of tar archives: ustar, pax (path, linkpath, size) and GNU long names and sizes; checksums
// verified. Archives that were put one behind the other are read to the end of the file.
//
// Archives come from strangers. Names are text and never become paths; sizes are checked against the file;
// damage costs the members it covers: the reader goes on at the next header whose checksum is right, and
// keeps a record of what it passed over.
//
// By hand, because libarchive gives no places in the file, which are what items are read by later, and ends
// at the first damage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::corpus {

enum class TarMemberKind {
  kFile,          ///< A regular file, whose data lie in one piece.
  kHardLink,      ///< Another name of a member before it.
  kSymbolicLink,  ///< Another name of a member, if it points into the archive.
  kSparse,        ///< A regular file stored without its holes (tar -S), of GNU's or the pax kind.
  kSpecial,       ///< A device, a pipe, a part of a volume, a member without a name.
};

/// A member of a tar that is no folder.
struct TarMember {
  std::string name;          ///< As stored: any bytes, also "../..".
  std::uint64_t offset = 0;  ///< Behind its header, where its data begin; no two members have the same.
  std::uint64_t size = 0;  ///< As its header says; the archive may end earlier (a damage is on record then).
  TarMemberKind kind = TarMemberKind::kFile;
  std::string target;       ///< Of a link, as stored.
  std::size_t archive = 0;  ///< Among archives put one behind the other.
};

/// Something wrong in an archive.
struct TarDamage {
  std::uint64_t offset = 0;  ///< In the archive.
  std::string what;
};

/// Where archive bytes come from.
class TarInput {
 public:
  virtual ~TarInput() = default;
  virtual std::uint64_t size() const = 0;
  /// Reads up to `bytes.size()` bytes at `offset`; less only at the end or on an I/O error.
  virtual std::size_t read(std::uint64_t offset, std::span<std::byte> bytes) const = 0;
};

/// A file, read with pread: a file that shrinks while it is read cannot end the process, as a mapping could.
/// Throws Error(kInput) when it cannot be opened or is no regular file.
std::unique_ptr<TarInput> open_tar(const std::filesystem::path& path);
/// Bytes in memory, which outlive the input.
std::unique_ptr<TarInput> tar_in_memory(std::span<const std::byte> bytes);

/// Name of the compression a file's first bytes show ("gzip", "bzip2", "xz", "zstd", "lz4"); empty for none.
std::string compression_of(const TarInput& input);

/// What is often found under the name of a tar, by its first bytes.
enum class NoTar {
  kMaybeTar,     ///< None of these.
  kNothing,      ///< Of 0 bytes: a download that never began.
  kGitLfs,       ///< The pointer that Git LFS leaves in the place of a file.
  kHtml,         ///< A page, as servers send in the place of a file that they do not give.
  kXmlOrJson,    ///< An error message of an object store.
  kParquet,      ///< The table beside the tars.
  kOtherFormat,  ///< A zip, PDF, HDF5, JPEG, PNG.
};
NoTar no_tar(const TarInput& input);
/// The reason by which such files are counted, and what to say of one. Both empty for kMaybeTar.
struct NoTarText {
  std::string_view reason;
  std::string_view advice;
};
NoTarText describe(NoTar what);
/// Whether there are bytes, and all are zeros: a tar without members, or a file that was only given its size.
bool only_zeros(const TarInput& input);

/// Lists the members of an archive in order. Reads headers only and seeks over the data.
class TarReader {
 public:
  explicit TarReader(std::unique_ptr<TarInput> input);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// The next member that is no folder; empty at the end of the file. Never throws for bad content.
  std::optional<TarMember> next();

  /// Data of a regular file, at most `max_bytes` of it; empty when the archive ends before the member does or
  /// the member is larger.
  std::optional<std::string> read(const TarMember& member, std::size_t max_bytes) const;

  const std::vector<TarDamage>& damage() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether a 512-byte block is a tar header with a right checksum.
bool is_tar_header(std::span<const std::byte> block);
/// The size a header block states; empty when it is no number, negative, or beyond 2^62.
std::optional<std::uint64_t> tar_header_size(std::span<const std::byte> block);

}  // namespace quasar::corpus
