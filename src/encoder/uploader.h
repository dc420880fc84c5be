// Internal to the module: pixels on their way to a GPU while it computes.
#pragma once

#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <torch/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace quasar::encoder {

/// kLanes lanes, each a page-locked buffer and a copy stream of its own: while one thread's batch is
/// computed, another's crosses the bus. Written against LibTorch's device-independent streams, so that it
/// compiles where LibTorch has no CUDA. Thread-safe.
class Uploader {
  static constexpr int kLanes = 2;

  struct Lane {
    c10::Stream stream;
    c10::Event uploaded;
    torch::Tensor pinned;  ///< uint8, grows to the largest batch, to the next power of two.
    bool taken = false;
  };

 public:
  /// `device` is a CUDA device.
  explicit Uploader(torch::Device device);
  /// Page-locked bytes of a lane whose largest batch has that many bytes, from above: what it has outgrown is
  /// kept by LibTorch, and adds up to less than what it has.
  static double pinned_bytes(double batch);
  /// Of `threads` that upload at once, those that have a lane.
  static int uploads_at_once(int threads) { return threads < kLanes ? threads : kLanes; }
  /// Time that threads have spent in Upload's constructor, waiting for a lane included. Thread-safe.
  std::chrono::nanoseconds spent() const { return std::chrono::nanoseconds(spent_); }
  Uploader(const Uploader&) = delete;
  Uploader& operator=(const Uploader&) = delete;

  /// A batch under way. Keep it until the result computed from it is on the host: only then may the lane's
  /// buffer be written again.
  class Upload {
   public:
    /// Waits for a free lane, copies pixels (uint8, on the CPU, contiguous) to its page-locked memory and
    /// starts their way to the device.
    Upload(Uploader& owner, const torch::Tensor& pixels);
    ~Upload() { owner_.release(lane_); }
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;

    /// The pixels on the device; the thread's current stream waits for them, the thread does not.
    torch::Tensor on_current_stream() const;

   private:
    Upload(Uploader& owner, std::chrono::steady_clock::time_point begun, Lane& lane)
        : owner_(owner), begun_(begun), lane_(lane) {}

    Uploader& owner_;
    std::chrono::steady_clock::time_point begun_;
    Lane& lane_;
    torch::Tensor pixels_;
  };

 private:
  Lane make_lane() const;
  Lane& take();
  void release(Lane& lane);

  torch::Device device_;
  std::atomic<std::int64_t> spent_{0};
  std::array<Lane, kLanes> lanes_;
  std::mutex mutex_;
  std::condition_variable freed_;
};

}  // namespace quasar::encoder
