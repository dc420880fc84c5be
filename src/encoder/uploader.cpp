#include "encoder/uploader.h"

#include <ATen/Functions.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace quasar::encoder {

Uploader::Uploader(torch::Device device) : device_(device), lanes_{make_lane(), make_lane()} {}

double Uploader::pinned_bytes(double batch) {
  return 2.0 * std::exp2(std::ceil(std::log2(std::max(batch, 1.0))));
}

Uploader::Lane Uploader::make_lane() const {
  const c10::impl::VirtualGuardImpl devices(device_.type());
  return {devices.getStreamFromGlobalPool(device_), c10::Event(device_.type()), {}, false};
}

Uploader::Lane& Uploader::take() {
  std::unique_lock lock(mutex_);
  Lane* lane = nullptr;
  freed_.wait(lock, [&] {
    const auto found =
        std::find_if(lanes_.begin(), lanes_.end(), [](const Lane& candidate) { return !candidate.taken; });
    lane = found == lanes_.end() ? nullptr : &*found;
    return lane != nullptr;
  });
  lane->taken = true;
  return *lane;
}

void Uploader::release(Lane& lane) {
  {
    const std::scoped_lock lock(mutex_);
    lane.taken = false;
  }
  freed_.notify_one();
}

// By way of the other constructor, so that the lane is released when this one fails.
Uploader::Upload::Upload(Uploader& owner, const torch::Tensor& pixels)
    : Upload(owner, std::chrono::steady_clock::now(), owner.take()) {
  const std::int64_t size = pixels.numel();
  torch::Tensor& pinned = lane_.pinned;
  if (!pinned.defined() || pinned.numel() < size) {
    const auto grown = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(size)));
    pinned = at::empty({grown}, torch::TensorOptions().dtype(torch::kUInt8).pinned_memory(true));
  }
  const torch::Tensor staged = pinned.narrow(0, 0, size).view(pixels.sizes());
  staged.copy_(pixels);
  const c10::StreamGuard guard(lane_.stream);
  pixels_ = staged.to(owner_.device_, /*non_blocking=*/true);
  lane_.uploaded.record(lane_.stream);
  owner_.spent_ += std::chrono::nanoseconds(std::chrono::steady_clock::now() - begun_).count();
}

torch::Tensor Uploader::Upload::on_current_stream() const {
  const c10::impl::VirtualGuardImpl devices(owner_.device_.type());
  lane_.uploaded.block(devices.getStream(owner_.device_));
  return pixels_;
}

}  // namespace quasar::encoder
