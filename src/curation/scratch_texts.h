// Internal to the module: a list of texts on this rank's disk, for what rows bring with them that memory does
// not hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"

namespace quasar::curation {

/// Written once, then read. The file goes with the object.
class ScratchTexts {
 public:
  /// Throws Error(kOutput) naming the path.
  explicit ScratchTexts(std::filesystem::path path);
  ~ScratchTexts();
  ScratchTexts(const ScratchTexts&) = delete;
  ScratchTexts& operator=(const ScratchTexts&) = delete;

  /// Throws Error(kOutput), disk full included.
  void append(std::string_view text);
  /// Ends appending.
  void finish();
  std::size_t size() const { return size_; }

  /// Reads texts one after the other, in blocks.
  class Cursor {
   public:
    Cursor(const ScratchTexts& texts, std::size_t first);
    /// The next text, valid until the next call; there must be one. Throws Error(kInput).
    std::string_view next();

   private:
    const ScratchTexts& texts_;
    std::uint64_t offset_;  ///< Of what follows the buffer.
    std::string buffer_;
    std::size_t at_ = 0;
    void skip(std::size_t count);
    void fill(std::size_t bytes);
  };
  std::string at(std::size_t place) const;

 private:
  friend class Cursor;
  /// Texts between entries of the index.
  static constexpr std::size_t kStretch = 64;

  void flush();

  std::filesystem::path path_;
  base::Descriptor file_;
  std::string buffer_;
  std::uint64_t flushed_ = 0;
  std::size_t size_ = 0;
  std::vector<std::uint64_t> index_;  ///< Offset of every kStretch-th text.
};

}  // namespace quasar::curation
