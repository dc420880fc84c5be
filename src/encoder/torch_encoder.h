// Internal to the module: drives a network: staging, normalisation, device, precision, failures.
#pragma once

#include <torch/types.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/single_threaded_blas.h"
#include "encoder/batch_limit.h"
#include "encoder/encoder.h"
#include "encoder/network.h"
#include "encoder/uploader.h"

namespace quasar::encoder {

class TorchEncoder : public Encoder {
 public:
  /// Moves the network to the device and type.
  TorchEncoder(std::unique_ptr<Network> network, base::InputSpec spec, base::EncoderIdentity identity,
               torch::Device device, torch::ScalarType type, std::string weights_note = {});

  int dimension() const override { return network_->dimension(); }
  const base::InputSpec& input_spec() const override { return spec_; }
  const base::EncoderIdentity& identity() const override { return identity_; }
  std::string device() const override;
  std::string computed_on() const override;
  std::chrono::nanoseconds upload_time() const override;
  std::string weights_note() const override { return weights_note_; }
  void encode(const ImageBatch& batch, std::span<float> embeddings) override;
  WorkingMemory working_memory(int count, int height, int width) const override;
  int calls_at_once(int threads) const override;

 private:
  torch::Tensor forward(const torch::Tensor& pixels);
  torch::Tensor forward_on_cpu(const torch::Tensor& pixels);
  /// Of pictures of that size, how many the network is given in one call.
  std::int64_t at_once(int height, int width) const;
  /// The result on the host, float32.
  torch::Tensor forward_on_gpu(const torch::Tensor& pixels);
  void check_shape(const ImageBatch& batch, std::size_t values) const;

  std::optional<base::SingleThreadedBlas> blas_;  ///< On the CPU: each call computes on one thread.
  std::unique_ptr<Network> network_;
  base::InputSpec spec_;
  base::EncoderIdentity identity_;
  std::string weights_note_;
  torch::Device device_;
  torch::ScalarType type_;
  torch::Tensor mean_;                  ///< [1, 3, 1, 1], on the device.
  torch::Tensor deviation_;             ///< [1, 3, 1, 1], on the device.
  std::unique_ptr<Uploader> uploader_;  ///< On a GPU only.
  mutable std::mutex gpu_;              ///< One call computes at a time.
  std::string computed_on_;             ///< But for the limit of batches.
  BatchLimit gpu_batch_limit_;
};

}  // namespace quasar::encoder
