#include "encoder/torchscript_network.h"

#include <ATen/Functions.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/types.h>

#include <sstream>

#include "base/errors.h"
#include "base/stop_signal.h"
#include "base/utf8.h"

namespace quasar::encoder {
namespace {

constexpr std::size_t kMaxReason = 300;

/// Nobody knows what a module does. Its activations as multiples of the float32 pixels, from above for those
/// that are in use: torchvision's ResNets take 14 to 27, ViT-L with all its attention scores 40.
constexpr double kActivations = 64.0;

/// First line of an exception of LibTorch: the rest is a stack.
std::string reason_of(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, std::min(text.find('\n'), kMaxReason));
}

/// What rounding may change of an embedding when operations are joined, as a share of its length. Of 4,096
/// products in a sum float32 loses 1e-5 or less, bfloat16 keeps 8 bits.
double most_change(torch::ScalarType type) {
  return type == torch::kFloat32 ? 1e-3 : 5e-2;
}

class ScriptNetwork : public Network {
 public:
  ScriptNetwork(const std::filesystem::path& path, ScriptOutput output, int side, ScriptMode mode)
      : path_(path), output_(std::move(output)), side_(side), mode_(mode) {
    // The profiling executor replaces kernels after a few calls, so that the first results would differ from
    // later ones in their last bits.
    torch::jit::getExecutorMode() = false;
    torch::jit::getProfilingMode() = false;
    try {
      module_ = torch::jit::load(path.string(), torch::kCPU);
      module_.eval();
    } catch (const std::exception& error) {
      fail("is no TorchScript module that this LibTorch can load (" + reason_of(error) + ")");
    }
    const auto check = [&](const auto& named) {
      for (const auto& entry : named)
        if (entry.value.is_floating_point() && at::isnan(entry.value).any().template item<bool>())
          fail("holds NaN in the tensor \"" + base::printable(entry.name) +
               "\": every embedding would be NaN; the file is damaged, or its training had diverged");
    };
    check(module_.named_parameters());
    check(module_.named_buffers());
    base::end_if_stopped();
    const torch::Tensor trial = forward(torch::zeros({1, 3, side, side}, torch::kFloat32));
    if (trial.size(0) != 1 || trial.size(1) < 1) {
      std::ostringstream shape;
      shape << trial.sizes();
      fail("gives " + shape.str() + " for one picture; [1, d] is needed");
    }
    dimension_ = static_cast<int>(trial.size(1));
    for (const auto& parameter : module_.parameters()) parameter_count_ += parameter.numel();
  }

  torch::Tensor forward(const torch::Tensor& pixels) override {
    const c10::InferenceMode inference;
    // As it was exported: the older executor would compile fused kernels on a GPU, which round otherwise than
    // the operations they replace and have crashed in the driver (PyTorch issue 60929).
    const torch::jit::GraphOptimizerEnabledGuard unoptimized(false);
    torch::jit::IValue value;
    try {
      // A copy of the handle: forward() is not const, the module underneath is only read.
      torch::jit::Module module = module_;
      value = module.forward({pixels});
    } catch (const std::exception& error) {
      std::ostringstream shape;
      shape << pixels.sizes();
      fail("fails on pixels " + shape.str() + " (" + reason_of(error) +
           "); check encoder.size, encoder.resize and the statistics it was exported for");
    }
    torch::Tensor result = select(value);
    if (result.dim() == 4) result = result.mean({2, 3});
    if (result.dim() == 3) result = result.select(1, 0);
    if (result.dim() != 2) {
      std::ostringstream shape;
      shape << result.sizes();
      fail("gives a tensor " + shape.str() + "; [n, d], [n, tokens, d] or [n, d, h, w] is needed");
    }
    return result.to(torch::kFloat32);
  }

  int dimension() const override { return dimension_; }
  std::int64_t parameter_count() const override { return parameter_count_; }
  void to(torch::Device device, torch::ScalarType type) override {
    module_.to(device, type);
    if (mode_ == ScriptMode::kOptimized) optimize(device, type);
  }
  double forward_bytes(double count, double height, double width) const override {
    return kActivations * sizeof(float) * 3.0 * count * height * width;
  }
  /// Of a module that nobody knows: a transformer loses a tenth, a convolutional network may win nine times.
  std::int64_t pixels_at_once() const override { return kPixelsOfConvolutions; }

 private:
  /// What is frozen keeps its device and type.
  void optimize(torch::Device device, torch::ScalarType type) {
    // Greys from black to white, so that nothing is lost in a flat picture.
    const auto picture = torch::linspace(-2, 2, 3L * side_ * side_, torch::kFloat32)
                             .view({1, 3, side_, side_})
                             .to(device, type)
                             .contiguous(torch::MemoryFormat::ChannelsLast);
    const torch::Tensor as_saved = forward(picture);
    base::end_if_stopped();
    try {
      // On a GPU what optimize_for_inference adds are fused kernels of cuDNN, which have crashed in drivers.
      module_ = device.is_cpu() ? torch::jit::optimize_for_inference(module_) : torch::jit::freeze(module_);
    } catch (const std::exception& error) {
      fail("cannot be optimized for inference (" + reason_of(error) +
           "); encoder.optimize: false runs it as it was saved");
    }
    base::end_if_stopped();
    const torch::Tensor now = forward(picture);
    const double change = (now - as_saved).norm().item<double>();
    if (now.sizes() != as_saved.sizes() || !(change <= most_change(type) * as_saved.norm().item<double>())) {
      fail(
          "gives something else when LibTorch optimizes it for inference; encoder.optimize: false runs it as "
          "it was "
          "saved");
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    base::fail(base::ExitCode::kInput, path_.string() + " " + what);
  }

  torch::Tensor select(const torch::jit::IValue& value) const {
    if (value.isTensor() && output_.key.empty() && output_.index < 0) return value.toTensor();
    if (value.isGenericDict() && !output_.key.empty()) {
      for (const auto& entry : value.toGenericDict()) {
        if (entry.key().isString() && entry.key().toStringRef() == output_.key && entry.value().isTensor()) {
          return entry.value().toTensor();
        }
      }
      fail("returns a dictionary without a tensor \"" + output_.key + "\" (encoder.output.key)");
    }
    if (output_.index >= 0 && (value.isTuple() || value.isList())) {
      const auto elements = value.isTuple() ? value.toTupleRef().elements().vec() : value.toListRef().vec();
      const auto index = static_cast<std::size_t>(output_.index);
      if (index < elements.size() && elements[index].isTensor()) return elements[index].toTensor();
      fail("returns " + std::to_string(elements.size()) + " values, none a tensor at encoder.output.index " +
           std::to_string(output_.index));
    }
    fail("returns a " + value.tagKind() +
         "; say which part is the embedding with encoder.output.key or .index");
  }

  std::filesystem::path path_;
  ScriptOutput output_;
  int side_;
  ScriptMode mode_;
  std::int64_t parameter_count_ = 0;
  torch::jit::Module module_;
  int dimension_ = 0;
};

}  // namespace

std::unique_ptr<Network> load_torchscript(const std::filesystem::path& path, const ScriptOutput& output,
                                          int side, ScriptMode mode) {
  return std::make_unique<ScriptNetwork>(path, output, side, mode);
}

}  // namespace quasar::encoder
