// Owns file descriptors.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace quasar::base {

/// Closes a file descriptor when it goes. Negative numbers, which open() and its like return for failures,
/// are none.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  /// Closes it now; errno of that, which is where network file systems say what they could not write, or 0.
  int close() { return number_ >= 0 && ::close(std::exchange(number_, -1)) != 0 ? errno : 0; }

 private:
  int number_ = -1;
};

}  // namespace quasar::base
