// Owns a text file that all ranks write: each its part, in the order of the ranks, at the place where it
// belongs. Nobody reads another's part, and no two processes write to one page of memory, which network file
// systems do not keep apart.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/checksum.h"
#include "base/descriptor.h"
#include "comm/communicator.h"
#include "curation/written_files.h"

namespace quasar::curation {

/// Construction and commit() are collective. Destroyed without commit(), it leaves nothing.
class JointFile {
 public:
  /// `path` is what the file is called in the end. `parts`: a folder that all ranks see, where those after
  /// the first keep what they write until its place is known. Throws Error(kOutput).
  JointFile(std::filesystem::path path, const std::filesystem::path& parts, const comm::Communicator& comm);
  ~JointFile();
  JointFile(const JointFile&) = delete;
  JointFile& operator=(const JointFile&) = delete;

  /// Adds to this rank's part. Not collective. Throws Error(kOutput), disk full included.
  void write(std::string_view text);
  /// Puts the parts together and gives the file its name. Size and checksum of the whole, on every rank.
  /// Throws Error(kOutput), or Error(kInput) when the file or a part cannot be read again.
  FileSum commit();

 private:
  void flush();
  /// Calls take(text) for this rank's part, from offset `begin` to `end` of it.
  template <typename Take>
  void read_part(std::uint64_t begin, std::uint64_t end, const Take& take) const;
  /// Writes what of this rank's part fills whole pages of the file, in which it begins at `first`; the ragged
  /// ends, as offset in the file and bytes, for root to write.
  std::string place_part(std::uint64_t first) const;
  FileSum sum_parts(const std::vector<std::uint64_t>& sizes) const;

  std::filesystem::path path_;
  const comm::Communicator& comm_;
  std::filesystem::path whole_;  ///< The file under its temporary name.
  std::filesystem::path part_;   ///< What this rank writes: on root the file itself.
  base::Descriptor file_;        ///< Of `part_`.
  std::string buffer_;
  std::uint64_t bytes_ = 0;  ///< Taken by write().
};

}  // namespace quasar::curation
