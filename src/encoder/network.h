// Internal to the module: what every architecture is to the encoder that drives it.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/input_spec.h"
#include "encoder/checkpoint.h"
#include "encoder/head_counts.h"

namespace quasar::encoder {

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
  virtual double flops_per_image(int height, int width) const;
  /// Bytes that forward() takes at its peak for pixels [count, 3, height, width], from above, on the
  /// network's device and in its type: activations, copies, and the scratch of convolutions and products;
  /// beyond the weights and the pixels. A double does not overflow for any shape.
  virtual double forward_bytes(double count, double height, double width) const = 0;

 protected:
  Network() = default;
};

/// A named architecture of the paper and what it expects.
struct Preset {
  std::string name;       ///< "clip-rn50", "vit-l-14", "coca-vit-l-14", "dinov2-vit-l-14", ...
  base::InputSpec input;  ///< The published preprocessing.
};

/// Every name make_network takes. Names with "any" ("clip-rn-any", "vit-any", "vit-any-quickgelu",
/// "coca-any", "dinov2-any") take checkpoints of every size of their family.
std::vector<Preset> presets();

/// Number of weights of a preset's visual tower, by its shapes alone. Throws Error(kConfig) for an unknown
/// name.
std::int64_t preset_parameter_count(const std::string& name);

/// Builds the architecture from a checkpoint's tensors (the text tower's are ignored); sizes are read off the
/// shapes and checked against the preset. Throws Error(kInput) listing all missing, unexpected and mis-shaped
/// tensors in one message, with both shapes and the preset that would fit; Error(kConfig) for an unknown name
/// with the nearest.
std::unique_ptr<Network> make_network(const std::string& name, TensorMap tensors,
                                      const HeadCounts& heads = {});

}  // namespace quasar::encoder
