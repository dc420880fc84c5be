#include "decode/memory_gate.h"

#include <algorithm>
#include <utility>

#include "base/errors.h"

namespace quasar::decode {

MemoryGate::Claim::Claim(Claim&& other) noexcept
    : gate_(std::exchange(other.gate_, nullptr)), bytes_(other.bytes_), open_(other.open_) {}

MemoryGate::Claim& MemoryGate::Claim::operator=(Claim&& other) noexcept {
  if (this == &other) return *this;
  if (gate_ != nullptr) gate_->give_back(bytes_, open_);
  gate_ = std::exchange(other.gate_, nullptr);
  bytes_ = other.bytes_;
  open_ = other.open_;
  return *this;
}

MemoryGate::Claim::~Claim() {
  if (gate_ != nullptr) gate_->give_back(bytes_, open_);
}

bool MemoryGate::Claim::grow(std::uint64_t bytes) {
  QUASAR_CHECK(gate_ != nullptr && open_ && bytes <= gate_->capacity_);
  std::unique_lock lock(gate_->mutex_);
  const std::uint64_t more = bytes > bytes_ ? bytes - bytes_ : 0;
  gate_->growing_ = true;
  gate_->changed_.wait(lock, [&] { return gate_->interrupted_ || gate_->capacity_ - gate_->held_ >= more; });
  gate_->growing_ = false;
  const bool granted = !gate_->interrupted_;
  if (granted) {
    gate_->hold(more);
    bytes_ += more;
    open_ = false;
    gate_->open_claim_ = false;
  }
  lock.unlock();
  gate_->changed_.notify_all();
  return granted;
}

std::optional<MemoryGate::Claim> MemoryGate::acquire(std::uint64_t bytes) {
  return take(bytes, false);
}

std::optional<MemoryGate::Claim> MemoryGate::acquire_first(std::uint64_t bytes) {
  return take(bytes, true);
}

std::optional<MemoryGate::Claim> MemoryGate::take(std::uint64_t bytes, bool open) {
  QUASAR_CHECK(bytes <= capacity_);
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = next_ticket_++;
  waiting_.push_back(ticket);
  changed_.wait(lock, [&] {
    return interrupted_ ||
           (waiting_.front() == ticket && !growing_ && !(open && open_claim_) && capacity_ - held_ >= bytes);
  });
  std::erase(waiting_, ticket);
  std::optional<Claim> claim;
  if (!interrupted_) {
    hold(bytes);
    open_claim_ = open_claim_ || open;
    claim = Claim(this, bytes, open);
  }
  lock.unlock();
  changed_.notify_all();
  return claim;
}

void MemoryGate::hold(std::uint64_t bytes) {
  held_ += bytes;
  peak_ = std::max(peak_, held_);
}

void MemoryGate::give_back(std::uint64_t bytes, bool open) {
  {
    const std::scoped_lock lock(mutex_);
    held_ -= bytes;
    if (open) open_claim_ = false;
  }
  changed_.notify_all();
}

void MemoryGate::interrupt() {
  {
    const std::scoped_lock lock(mutex_);
    interrupted_ = true;
  }
  changed_.notify_all();
}

std::uint64_t MemoryGate::held() const {
  const std::scoped_lock lock(mutex_);
  return held_;
}

std::uint64_t MemoryGate::peak() const {
  const std::scoped_lock lock(mutex_);
  return peak_;
}

std::size_t MemoryGate::waiting() const {
  const std::scoped_lock lock(mutex_);
  return waiting_.size() + (growing_ ? 1 : 0);
}

}  // namespace quasar::decode
