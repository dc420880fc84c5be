// Owns the share of a budget of bytes among threads: who asks waits its turn, so that large asks are not
// starved by small ones.
//
// Most hold nothing while they wait. One that must hold some before it knows how much it needs in all
// says so (acquire_first); only one such claim is open at a time, and it is served before all who wait. So
// nobody waits for bytes of somebody who waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

namespace quasar::decode {

/// Thread-safe. Outlives its claims.
class MemoryGate {
 public:
  /// Bytes of the budget, given back at the end.
  class Claim {
   public:
    Claim(Claim&& other) noexcept;
    Claim& operator=(Claim&& other) noexcept;
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim();

    std::uint64_t bytes() const { return bytes_; }
    bool open() const { return open_; }  ///< May still grow.
    /// Raises the claim to `bytes` in all, once, for a claim of acquire_first; waits until they are free. A
    /// smaller number closes the claim as it is. False when interrupted.
    bool grow(std::uint64_t bytes);

   private:
    friend class MemoryGate;
    Claim(MemoryGate* gate, std::uint64_t bytes, bool open) : gate_(gate), bytes_(bytes), open_(open) {}
    MemoryGate* gate_;
    std::uint64_t bytes_;
    bool open_;
  };

  explicit MemoryGate(std::uint64_t capacity) : capacity_(capacity) {}
  MemoryGate(const MemoryGate&) = delete;
  MemoryGate& operator=(const MemoryGate&) = delete;

  /// Waits in the order of asking until `bytes` (at most the capacity) are free. Empty when interrupted.
  std::optional<Claim> acquire(std::uint64_t bytes);
  /// The same for what may grow once.
  std::optional<Claim> acquire_first(std::uint64_t bytes);

  /// Ends every wait, now and later.
  void interrupt();

  std::uint64_t capacity() const { return capacity_; }
  /// Bytes claimed now, and the most ever claimed at once.
  std::uint64_t held() const;
  std::uint64_t peak() const;
  /// How many wait for their turn.
  std::size_t waiting() const;

 private:
  std::optional<Claim> take(std::uint64_t bytes, bool open);
  void hold(std::uint64_t bytes);
  void give_back(std::uint64_t bytes, bool open);

  const std::uint64_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::uint64_t> waiting_;  ///< Tickets in the order of asking.
  std::uint64_t next_ticket_ = 0;
  std::uint64_t held_ = 0;
  std::uint64_t peak_ = 0;
  bool open_claim_ = false;
  bool growing_ = false;  ///< The open claim waits for more: before all others.
  bool interrupted_ = false;
};

}  // namespace quasar::decode
