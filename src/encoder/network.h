// Internal to the module: what every architecture is to the encoder that drives it.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace quasar::encoder {

/// Network::pixels_at_once() of convolutions: four pictures of 224 x 224.
constexpr std::int64_t kPixelsOfConvolutions = 4 * 224 * 224;

/// A visual tower with its weights, complete after construction. Thread-safe for concurrent forward() on the
/// CPU.
class Network {
 public:
  virtual ~Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// Normalised pixels [n, 3, h, w] on the network's device and type -> embeddings [n, d], float32,
  /// unnormalised.
  virtual torch::Tensor forward(const torch::Tensor& pixels) = 0;
  virtual int dimension() const = 0;
  /// Number of weights of the visual tower.
  virtual std::int64_t parameter_count() const = 0;
  /// Moves and converts all weights. Narrowing cannot be undone: call it once.
  virtual void to(torch::Device device, torch::ScalarType type) = 0;
  /// Floating-point operations of the matrix products and convolutions that forward() does for one picture of
  /// that size; 0 where nobody counted them.
  virtual double flops_per_image(int /*height*/, int /*width*/) const { return 0.0; }
  /// Bytes that forward() takes at its peak for pixels [count, 3, height, width], from above, on the
  /// network's device and in its type: activations, copies, and the scratch of convolutions and products;
  /// beyond the weights and the pixels. A double does not overflow for any shape.
  virtual double forward_bytes(double count, double height, double width) const = 0;
  /// On a CPU: pixels of one plane, height x width, that forward() is given at once, at least one picture; 0
  /// for whole batches. What convolutions make of many pictures falls out of the caches, and comes in blocks
  /// that the C library gives back to the system and takes anew each time.
  virtual std::int64_t pixels_at_once() const { return 0; }

 protected:
  Network() = default;
};

}  // namespace quasar::encoder
