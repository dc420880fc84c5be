// Internal to the module: files that are written at places of them, under a temporary name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/descriptor.h"

namespace quasar::exports {

/// A file under its temporary name, which goes away with the object unless it is published. All throw
/// Error(kOutput).
class TemporaryFile {
 public:
  /// `path`: what it will be called.
  explicit TemporaryFile(std::filesystem::path path);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& temporary() const { return temporary_; }
  const base::Descriptor& file() const { return file_; }
  void end_at(std::uint64_t size) const;
  /// Has the disk begin with what was written so far, without waiting for it.
  void begin_sync() const;
  /// No more is written by this object.
  void close();
  /// Closes it, syncs it, and gives it its name.
  void publish();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  base::Descriptor file_;
};

}  // namespace quasar::exports
