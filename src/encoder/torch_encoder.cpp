#include "encoder/torch_encoder.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/errors.h"
#include "encoder/compute_kind.h"
#include "encoder/gpu_arithmetic.h"

namespace quasar::encoder {
namespace {

/// LibTorch's own threads are off in threads that encode: calls run side by side instead, and a result cannot
/// depend on how work was split.
void compute_on_one_thread() {
  thread_local bool done = false;
  if (!done) at::set_num_threads(1);
  done = true;
}

/// What LibTorch's libraries keep for each thread that computes: the buffer into which the BLAS packs
/// matrices, generated kernels, and what the allocator cannot use of what it has.
constexpr double kThreadBytes = 24.0 * (1 << 20);

std::uint64_t whole_bytes(double bytes) {
  constexpr double kMost = 9.0e18;  // Fits, and leaves room to add.
  return static_cast<std::uint64_t>(std::ceil(std::min(bytes, kMost)));
}

}  // namespace

TorchEncoder::TorchEncoder(std::unique_ptr<Network> network, base::InputSpec spec,
                           base::EncoderIdentity identity, torch::Device device, torch::ScalarType type,
                           std::string weights_note)
    : network_(std::move(network)),
      spec_(spec),
      identity_(std::move(identity)),
      weights_note_(std::move(weights_note)),
      device_(device),
      type_(type) {
  if (device_.is_cpu()) blas_.emplace();
  network_->to(device_, type_);
  if (!device_.is_cpu()) {
    compute_as_named_and_repeatably();
    uploader_ = std::make_unique<Uploader>(device_);
  }
  computed_on_ = device_.is_cpu() ? processor_kind().describe() : gpu_models();
  if (device_.is_cpu() && network_->pixels_at_once() > 0)
    computed_on_ += ", in batches of at most " + std::to_string(network_->pixels_at_once()) + " pixels";
  std::array<float, 3> mean{};
  std::array<float, 3> deviation{};
  for (std::size_t c = 0; c < 3; ++c) {
    mean[c] = static_cast<float>(spec_.mean[c]);
    deviation[c] = static_cast<float>(spec_.std[c]);
  }
  mean_ = torch::tensor(at::ArrayRef<float>(mean)).view({1, 3, 1, 1}).to(device_);
  deviation_ = torch::tensor(at::ArrayRef<float>(deviation)).view({1, 3, 1, 1}).to(device_);
}

std::string TorchEncoder::device() const {
  return device_.str();
}

std::chrono::nanoseconds TorchEncoder::upload_time() const {
  return uploader_ ? uploader_->spent() : std::chrono::nanoseconds(0);
}

std::string TorchEncoder::computed_on() const {
  if (device_.is_cpu()) return computed_on_;
  const std::scoped_lock lock(gpu_);
  const auto limit = gpu_batch_limit_.limit();
  return limit == 0
             ? computed_on_
             : computed_on_ + ", in batches of at most " + std::to_string(limit) + " for lack of memory";
}

void TorchEncoder::check_shape(const ImageBatch& batch, std::size_t values) const {
  const auto pixels = static_cast<std::size_t>(batch.count) * static_cast<std::size_t>(batch.height) *
                      static_cast<std::size_t>(batch.width) * 3;
  QUASAR_CHECK(batch.pixels.size() == pixels);
  QUASAR_CHECK(values == static_cast<std::size_t>(batch.count) * static_cast<std::size_t>(dimension()));
  const bool wrong = spec_.fixed_shape() ? batch.height != spec_.size || batch.width != spec_.size
                                         : std::min(batch.height, batch.width) < spec_.min_side;
  if (wrong) {
    base::fail(base::ExitCode::kMismatch, "the encoder " + identity_.architecture +
                                              " does not take pictures of " + std::to_string(batch.width) +
                                              "x" + std::to_string(batch.height) + " (" +
                                              base::describe(spec_) + ")");
  }
}

void TorchEncoder::encode(const ImageBatch& batch, std::span<float> embeddings) {
  check_shape(batch, embeddings.size());
  if (batch.count == 0) return;
  const c10::InferenceMode inference;
  // Read only; from_blob takes no const pointer.
  auto* const data = const_cast<std::uint8_t*>(batch.pixels.data());
  const torch::Tensor pixels =
      torch::from_blob(data, {batch.count, batch.height, batch.width, 3}, torch::kUInt8);
  torch::Tensor result;
  try {
    if (device_.is_cpu()) {
      compute_on_one_thread();
      result = forward_on_cpu(pixels);
    } else {
      result = forward_on_gpu(pixels);
    }
    result = result.to(torch::kCPU, torch::kFloat32).contiguous();
  } catch (const c10::Error& error) {
    base::fail(base::ExitCode::kDevice, "the encoder " + identity_.architecture + " failed on " + device() +
                                            " with " + std::to_string(batch.count) + " pictures of " +
                                            std::to_string(batch.width) + "x" + std::to_string(batch.height) +
                                            ": " + std::string(error.what_without_backtrace()));
  }
  QUASAR_CHECK(static_cast<std::size_t>(result.numel()) == embeddings.size());
  std::memcpy(embeddings.data(), result.data_ptr<float>(), embeddings.size_bytes());
}

std::int64_t TorchEncoder::at_once(int height, int width) const {
  const std::int64_t limit = device_.is_cpu() ? network_->pixels_at_once() : 0;
  if (limit == 0) return std::numeric_limits<std::int64_t>::max();
  return std::max<std::int64_t>(1, limit / std::max<std::int64_t>(1, std::int64_t{height} * width));
}

WorkingMemory TorchEncoder::working_memory(int count, int height, int width) const {
  const auto together = static_cast<double>(std::min<std::int64_t>(count, at_once(height, width)));
  const double pixels = 3.0 * together * height * width;
  const double rows = static_cast<double>(sizeof(float)) * count * dimension();
  const double typed = type_ == torch::kFloat32 ? 0.0 : static_cast<double>(c10::elementSize(type_));
  // forward(): the pixels in float32, and once more in the network's type; the result is copied when it is
  // not contiguous, or put together of parts.
  const double forward =
      pixels * (sizeof(float) + typed) + 3.0 * rows + network_->forward_bytes(together, height, width);
  if (device_.is_cpu()) return {whole_bytes(forward + kThreadBytes), 0};
  const double uploads = Uploader::uploads_at_once(std::numeric_limits<int>::max());
  return {whole_bytes(Uploader::pinned_bytes(pixels) + 2.0 * rows),
          whole_bytes(uploads * pixels + forward + rows)};
}

int TorchEncoder::calls_at_once(int threads) const {
  return device_.is_cpu() ? threads : Uploader::uploads_at_once(threads);
}

torch::Tensor TorchEncoder::forward(const torch::Tensor& pixels) {
  // As torchvision: u8 / 255, minus mean, by deviation, each rounded in float32. The permuted view is what
  // LibTorch calls channels-last, the layout its convolutions like best.
  torch::Tensor input = pixels.permute({0, 3, 1, 2}).to(torch::kFloat32);
  input.div_(255.0).sub_(mean_).div_(deviation_);
  return network_->forward(input.to(type_));
}

torch::Tensor TorchEncoder::forward_on_cpu(const torch::Tensor& pixels) {
  // Of its own: calls run side by side.
  BatchLimit limit(at_once(static_cast<int>(pixels.size(1)), static_cast<int>(pixels.size(2))));
  return limit.run(pixels.size(0), [&](std::int64_t first, std::int64_t count) {
    return forward(pixels.narrow(0, first, count));
  });
}

torch::Tensor TorchEncoder::forward_on_gpu(const torch::Tensor& pixels) {
  // Bytes cross the bus, a quarter of what floats would, and while another call computes; normalisation
  // happens on the device.
  const Uploader::Upload upload(*uploader_, pixels);
  const std::scoped_lock lock(gpu_);
  const torch::Tensor uploaded = upload.on_current_stream();
  return gpu_batch_limit_
      .run(pixels.size(0),
           [&](std::int64_t first, std::int64_t count) { return forward(uploaded.narrow(0, first, count)); })
      .to(torch::kCPU, torch::kFloat32);
}

}  // namespace quasar::encoder
