// Internal to the module: owns an area of memory that a pool shares with a worker: a sparse file in memory
// without a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/descriptor.h"

namespace quasar::decode {

class SharedArea {
 public:
  /// Of this size, and without a page until one is written. Throws Error(kInternal).
  SharedArea(const char* name, std::uint64_t size);
  ~SharedArea();
  SharedArea(const SharedArea&) = delete;
  SharedArea& operator=(const SharedArea&) = delete;

  int descriptor() const { return file_.number(); }
  /// A descriptor through which the area can only be read. Throws Error(kInternal).
  base::Descriptor read_only() const;

  std::uint64_t size() const { return size_; }
  /// Nothing of what was there is kept behind a smaller size. Throws Error(kInternal).
  void resize(std::uint64_t size);
  /// From now on nobody changes the size, so that what is mapped stays there.
  void seal_size();

  /// The first `size` bytes to write to; the span lives until the next call. Throws Error(kInternal).
  std::span<std::byte> map(std::uint64_t size);
  /// Copies the first bytes out. False when the area is shorter, as the other end may have made it.
  bool read(std::span<std::byte> out) const;
  /// Gives the pages from `kept` on back to the system.
  void give_back(std::uint64_t kept);

 private:
  base::Descriptor file_;
  std::uint64_t size_ = 0;
  std::byte* mapped_ = nullptr;
  std::uint64_t mapped_size_ = 0;
};

/// The descriptor under a number that no standard or inherited descriptor of a worker has. Throws
/// Error(kInternal) when `number` is negative, saying `what` failed.
base::Descriptor out_of_the_way(int number, const char* what);

}  // namespace quasar::decode
