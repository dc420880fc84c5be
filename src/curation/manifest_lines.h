// Owns the lines of a manifest.jsonl, from front to back, a part of them or one by its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/descriptor.h"

namespace quasar::curation {

/// Held open, so that a ranking which replaces the file meanwhile changes nothing. Thread-safe.
class ManifestLines {
 public:
  /// Throws Error(kInput), naming the file, when it is missing or may not be read.
  explicit ManifestLines(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /// The text at a place. Throws Error(kInput) where the file cannot be read so far.
  std::string text(std::uint64_t offset, std::uint64_t length) const;

  /// Goes through the lines that begin in a part of the file.
  class Cursor {
   public:
    /// Those that begin from `begin` on and before `end`.
    Cursor(const ManifestLines& lines, std::uint64_t begin, std::uint64_t end);
    explicit Cursor(const ManifestLines& lines) : Cursor(lines, 0, lines.size()) {}

    /// Goes to the next line; false when there is none. Throws Error(kMismatch) for a last line without an
    /// end, Error(kInput) as text() does, and Error(kInterrupted).
    bool next();
    /// The line without its end, until the next call of next().
    std::string_view line() const { return line_; }
    std::uint64_t offset() const { return offset_; }  ///< Of the line in the file.
    std::uint64_t number() const { return number_; }  ///< Of the line, the part's first being 1.

   private:
    /// Whether the next line lies in the buffer, after reading on where it does not. Sets its length.
    bool find_line(std::size_t& length);

    const ManifestLines& lines_;
    std::uint64_t end_;
    std::string buffer_;       ///< The file from `start_` on.
    std::uint64_t start_ = 0;  ///< Of the buffer in the file.
    std::size_t at_ = 0;       ///< Of what follows the line, in the buffer.
    std::string_view line_;
    std::uint64_t offset_ = 0;
    std::uint64_t number_ = 0;
  };

 private:
  std::filesystem::path path_;
  base::Descriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace quasar::curation
