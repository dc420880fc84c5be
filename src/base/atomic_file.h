// Owns the one way files come into being: written under a temporary name in their own folder, flushed to
// disk, then renamed. A file that has its final name is whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

namespace quasar::base {

/// A buffered file that appears under its final name only on commit(). Destroyed without commit, it leaves
/// nothing.
class AtomicFile {
 public:
  /// Throws Error(kOutput) naming the path when it cannot be created.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws Error(kOutput), disk full included.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Flushes, syncs and renames.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Temporary name beside `path` for writers that need a name of their own (HDF5): same folder, hidden, with
/// host, machine and process in it.
std::filesystem::path temporary_name(const std::filesystem::path& path);

/// Syncs `temporary` to disk and renames it to `path`, then syncs the folder. Throws Error(kOutput); on
/// failure the temporary file is removed.
void publish_file(const std::filesystem::path& temporary, const std::filesystem::path& path);

/// Removes temporary files of this scheme below `folder` (not recursive) left by processes that died: on this
/// machine at once, on others, of which nothing is known, when they were not written to for two days.
void remove_stale_temporaries(const std::filesystem::path& folder);

void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// Whole content of a file. Throws Error(kInput) naming it, also when larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t max_bytes = std::size_t{1} << 32U);

/// Creates a folder and its parents. Throws Error(kOutput) naming the part that could not be made.
void make_directories(const std::filesystem::path& folder);

}  // namespace quasar::base
