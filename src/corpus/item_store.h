// Owns the lines of items.jsonl, in a run directory or, before a plan is saved, in an unnamed file. For the
// plan, not for users of the module.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "corpus/item.h"

namespace quasar::corpus {

/// Version of plan.json and items.jsonl as they are written. 1: the distortion of a copy stood among its
/// fields.
inline constexpr int kPlanSchema = 2;

/// Bytes of lines that are copied at once from one store to another.
inline constexpr std::uint64_t kCopyBytes = std::uint64_t{4} << 20U;

/// One line of JSON without its end, and back; `schema`: of the plan that the line belongs to. Throws
/// Error(kInternal) for text that is not UTF-8, and Error(kMismatch) for a line that is no item.
std::string item_to_line(const Item& item);
Item item_from_line(std::string_view line, int schema = kPlanSchema);

/// A file of lines: appended to while it has no name, read by place. Reading is thread-safe.
class ItemStore {
 public:
  /// An empty file without a name in the folder for temporary files; gone when closed.
  static std::shared_ptr<ItemStore> unnamed();
  /// An existing file, for reading. Throws Error(kInput).
  static std::shared_ptr<ItemStore> open(const std::filesystem::path& path);
  ItemStore(const ItemStore&) = delete;
  ItemStore& operator=(const ItemStore&) = delete;

  /// Throws Error(kOutput), disk full included.
  void append(std::string_view text);
  /// Writes what append() holds back.
  void flush();
  std::uint64_t size() const { return size_; }
  /// Exactly `length` bytes at `offset`. Throws Error(kMismatch) when the file ends before.
  std::string read(std::uint64_t offset, std::uint64_t length) const;

 private:
  ItemStore(int fd, std::string name) : file_(fd), name_(std::move(name)) {}

  base::Descriptor file_;
  std::string name_;
  std::string buffer_;
  std::uint64_t size_ = 0;
};

}  // namespace quasar::corpus
