#include "encoder/clip_resnet.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "encoder/transformer.h"

namespace quasar::encoder {
namespace {

using Role = WeightShape::Role;

constexpr double kBatchNormEpsilon = 1e-5;
constexpr std::int64_t kExpansion = 4;  ///< A bottleneck's output has this many times its inner channels.

/// A convolution with the batch normalisation that follows it folded in.
struct Convolution {
  torch::Tensor weight;  ///< [out, in, k, k], channels last
  torch::Tensor bias;    ///< [out]
  int stride = 1;

  std::int64_t kernel() const { return weight.size(2); }
};

struct Bottleneck {
  Convolution reduce;
  Convolution spatial;
  Convolution expand;
  Convolution shortcut;  ///< Undefined where the block keeps shape.
  int stride = 1;        ///< Of the average pooling before `expand` and `shortcut`.
};

void add_convolution(WeightShapes& shapes, const std::string& convolution, const std::string& norm,
                     std::int64_t out, std::int64_t in, std::int64_t kernel) {
  shapes.push_back({convolution + ".weight", {out, in, kernel, kernel}});
  shapes.push_back({norm + ".weight", {out}});
  shapes.push_back({norm + ".bias", {out}});
  shapes.push_back({norm + ".running_mean", {out}, Role::kBuffer});
  shapes.push_back({norm + ".running_var", {out}, Role::kBuffer});
}

/// Folded in double precision, so that the result is the correctly rounded one.
Convolution take_convolution(const TensorMap& tensors, const std::string& convolution,
                             const std::string& norm, int stride = 1) {
  const auto wide = [&](const std::string& name) { return take(tensors, name).to(torch::kFloat64); };
  const torch::Tensor factor =
      wide(norm + ".weight") / at::sqrt(wide(norm + ".running_var") + kBatchNormEpsilon);
  const torch::Tensor weight = wide(convolution + ".weight") * factor.view({-1, 1, 1, 1});
  const torch::Tensor bias = wide(norm + ".bias") - wide(norm + ".running_mean") * factor;
  return {weight.to(torch::kFloat32).contiguous(at::MemoryFormat::ChannelsLast), bias.to(torch::kFloat32),
          stride};
}

torch::Tensor convolve(const Convolution& convolution, const torch::Tensor& x) {
  return at::conv2d(x, convolution.weight, convolution.bias, convolution.stride, convolution.kernel() / 2);
}

void visit(Convolution& convolution, const TensorVisitor& visitor) {
  if (!convolution.weight.defined()) return;
  visitor(convolution.weight);
  visitor(convolution.bias);
}

/// Positional rows [R, c] resampled to [t, c] as QUASAR does: the whole matrix is a picture of one channel
/// that is stretched bicubically (coefficient -0.75, no antialiasing) along the rows.
torch::Tensor resample_rows(const torch::Tensor& rows, std::int64_t t) {
  if (rows.size(0) == t) return rows;
  return at::upsample_bicubic2d(rows.unsqueeze(0).unsqueeze(0), {t, rows.size(1)}, false)[0][0];
}

class ClipResNet final : public Network {
 public:
  ClipResNet(const ClipResNetSizes& sizes, PositionRows rows, const TensorMap& tensors)
      : sizes_(sizes), parameters_(encoder::parameter_count(weight_shapes(sizes))) {
    const std::string root = "visual.";
    for (const char* i : {"1", "2", "3"})
      stem_.push_back(take_convolution(tensors, root + "conv" + i, root + "bn" + i, stem_.empty() ? 2 : 1));
    for (std::size_t stage = 0; stage < sizes.layers.size(); ++stage) {
      for (int i = 0; i < sizes.layers[stage]; ++i) {
        const std::string name = root + "layer" + std::to_string(stage + 1) + "." + std::to_string(i) + ".";
        Bottleneck block{take_convolution(tensors, name + "conv1", name + "bn1"),
                         take_convolution(tensors, name + "conv2", name + "bn2"),
                         take_convolution(tensors, name + "conv3", name + "bn3"),
                         {},
                         stage > 0 && i == 0 ? 2 : 1};
        if (i == 0) block.shortcut = take_convolution(tensors, name + "downsample.0", name + "downsample.1");
        blocks_.push_back(std::move(block));
      }
    }
    const std::string pool = root + "attnpool.";
    if (rows == PositionRows::kUsed) position_rows_ = take(tensors, pool + "positional_embedding");
    query_ = take_linear(tensors, pool + "q_proj.");
    key_ = take(tensors, pool + "k_proj.weight");
    value_ = take_linear(tensors, pool + "v_proj.");
    output_ = take_linear(tensors, pool + "c_proj.");
  }

  torch::Tensor forward(const torch::Tensor& pixels) override {
    const torch::InferenceMode inference;
    if (pixels.size(2) < 32 || pixels.size(3) < 32)
      base::fail(base::ExitCode::kMismatch, "a CLIP ResNet takes pictures of at least 32 x 32 pixels, not " +
                                                std::to_string(pixels.size(3)) + " x " +
                                                std::to_string(pixels.size(2)));
    torch::Tensor x = pixels.contiguous(at::MemoryFormat::ChannelsLast);
    for (const Convolution& convolution : stem_) x = convolve(convolution, x).relu_();
    x = at::avg_pool2d(x, 2);
    for (const Bottleneck& block : blocks_) x = run(block, x);
    return pool(x);
  }

  int dimension() const override { return static_cast<int>(sizes_.embedding); }
  std::int64_t parameter_count() const override { return parameters_; }

  void to(torch::Device device, torch::ScalarType type) override {
    const TensorVisitor move = [&](torch::Tensor& tensor) { tensor = tensor.to(device, type); };
    for (Convolution& convolution : stem_) visit(convolution, move);
    for (Bottleneck& block : blocks_)
      for (Convolution* convolution : {&block.reduce, &block.spatial, &block.expand, &block.shortcut})
        visit(*convolution, move);
    encoder::visit(query_, move);
    move(key_);
    encoder::visit(value_, move);
    encoder::visit(output_, move);
    // Resampled in float32, rounded afterwards.
    if (position_rows_.defined()) position_rows_ = position_rows_.to(device);
  }

  double flops_per_image(int height, int width) const override {
    std::int64_t h = (height + 1) / 2;
    std::int64_t w = (width + 1) / 2;
    double flops = 0.0;
    const auto add = [&](const Convolution& convolution) {
      if (convolution.weight.defined())
        flops += 2.0 * static_cast<double>(convolution.weight.numel() * h * w);
    };
    for (const Convolution& convolution : stem_) add(convolution);
    h /= 2;
    w /= 2;
    for (const Bottleneck& block : blocks_) {
      add(block.reduce);
      add(block.spatial);
      h /= block.stride;
      w /= block.stride;
      add(block.expand);
      add(block.shortcut);
    }
    const double channels = static_cast<double>(channels_out());
    const double tokens = static_cast<double>(h * w + 1);
    return flops + 2.0 * channels * (3.0 * channels + static_cast<double>(sizes_.embedding)) +
           4.0 * channels * tokens * static_cast<double>(heads());
  }

  /// Walks through the layers as forward() does.
  std::int64_t pixels_at_once() const override { return kPixelsOfConvolutions; }
  double forward_bytes(double count, double height, double width) const override {
    double h = std::ceil(height / 2.0);
    double w = std::ceil(width / 2.0);
    double most = 0.0;
    const auto map = [&](double channels) { return count * channels * h * w; };
    const auto out = [&](const Convolution& c) { return map(static_cast<double>(c.weight.size(0))); };
    const auto weights = [](const Convolution& c) { return static_cast<double>(c.weight.numel()); };
    // Values that live at once.
    const auto note = [&](double values) { most = std::max(most, values); };
    double x = 0.0;  // The pixels are not ours.
    for (const Convolution& convolution : stem_) {
      note(x + out(convolution) + weights(convolution));
      x = out(convolution);
    }
    h = std::floor(h / 2.0);
    w = std::floor(w / 2.0);
    note(x * 1.25);
    x /= 4.0;
    for (const Bottleneck& block : blocks_) {
      const double reduced = out(block.reduce);
      const double spatial = out(block.spatial);
      note(x + reduced + spatial + weights(block.spatial));
      h = std::floor(h / block.stride);
      w = std::floor(w / block.stride);
      const double expanded = out(block.expand);
      note(x + spatial + out(block.spatial) + expanded + weights(block.expand));
      if (block.shortcut.weight.defined())
        note(x + 2.0 * expanded + out(block.shortcut) + weights(block.shortcut));
      x = expanded;
    }
    const double tokens = h * w + 1.0;
    const double channels = static_cast<double>(channels_out());
    const double element = static_cast<double>(key_.element_size());
    const double pooling =
        element * (x + count * tokens * channels) + 2.0 * sizeof(float) * tokens * channels +
        single_query_attention_bytes(count, tokens, channels, static_cast<double>(heads()), element);
    return std::max(element * most, pooling);
  }

 private:
  std::int64_t channels_out() const { return 32 * sizes_.width; }
  std::int64_t heads() const { return channels_out() / 64; }

  static torch::Tensor run(const Bottleneck& block, const torch::Tensor& x) {
    torch::Tensor inner = convolve(block.reduce, x).relu_();
    inner = convolve(block.spatial, inner).relu_();
    if (block.stride > 1) inner = at::avg_pool2d(inner, block.stride);
    inner = convolve(block.expand, inner);
    if (!block.shortcut.weight.defined()) return inner.add_(x).relu_();
    return inner.add_(convolve(block.shortcut, block.stride > 1 ? at::avg_pool2d(x, block.stride) : x))
        .relu_();
  }

  /// Feature map [n, c, h, w] -> embeddings [n, d]: attention of the mean to itself and all positions.
  torch::Tensor pool(const torch::Tensor& x) const {
    const torch::Tensor map = x.flatten(2).transpose(1, 2);  // [n, h * w, c]
    torch::Tensor tokens = at::cat({map.mean(1, true), map}, 1);
    if (position_rows_.defined())
      tokens = tokens.add_(resample_rows(position_rows_, tokens.size(1)).to(tokens.scalar_type()));
    const torch::Tensor query = apply(query_, tokens.select(1, 0));
    return apply(output_, single_query_attention(query, tokens, key_, value_, heads())).to(torch::kFloat32);
  }

  ClipResNetSizes sizes_;
  std::int64_t parameters_;
  std::vector<Convolution> stem_;
  std::vector<Bottleneck> blocks_;
  torch::Tensor position_rows_;  ///< Undefined when left out.
  Linear query_;
  torch::Tensor key_;
  Linear value_;
  Linear output_;
};

}  // namespace

WeightShapes weight_shapes(const ClipResNetSizes& sizes) {
  const std::string root = "visual.";
  const std::int64_t width = sizes.width;
  WeightShapes shapes;
  add_convolution(shapes, root + "conv1", root + "bn1", width / 2, 3, 3);
  add_convolution(shapes, root + "conv2", root + "bn2", width / 2, width / 2, 3);
  add_convolution(shapes, root + "conv3", root + "bn3", width, width / 2, 3);
  std::int64_t in = width;
  for (std::size_t stage = 0; stage < sizes.layers.size(); ++stage) {
    const std::int64_t inner = width << stage;
    for (int i = 0; i < sizes.layers[stage]; ++i) {
      const std::string name = root + "layer" + std::to_string(stage + 1) + "." + std::to_string(i) + ".";
      add_convolution(shapes, name + "conv1", name + "bn1", inner, in, 1);
      add_convolution(shapes, name + "conv2", name + "bn2", inner, inner, 3);
      add_convolution(shapes, name + "conv3", name + "bn3", inner * kExpansion, inner, 1);
      if (i == 0)
        add_convolution(shapes, name + "downsample.0", name + "downsample.1", inner * kExpansion, in, 1);
      in = inner * kExpansion;
    }
  }
  const std::string pool = root + "attnpool.";
  shapes.push_back({pool + "positional_embedding", {sizes.position_rows, in}});
  for (const char* projection : {"q_proj", "k_proj", "v_proj"}) {
    shapes.push_back({pool + projection + ".weight", {in, in}});
    shapes.push_back({pool + projection + ".bias", {in}});
  }
  shapes.push_back({pool + "c_proj.weight", {sizes.embedding, in}});
  shapes.push_back({pool + "c_proj.bias", {sizes.embedding}});
  return shapes;
}

ClipResNetSizes read_clip_resnet_sizes(const TensorMap& tensors) {
  ClipResNetSizes sizes;
  for (std::size_t stage = 0; stage < sizes.layers.size(); ++stage)
    sizes.layers[stage] =
        count_layers(tensors, "visual.layer" + std::to_string(stage + 1) + ".", ".conv1.weight");
  sizes.width = dimension_of(tensors, "visual.conv3.weight", 0);
  sizes.embedding = dimension_of(tensors, "visual.attnpool.c_proj.weight", 0);
  sizes.position_rows = dimension_of(tensors, "visual.attnpool.positional_embedding", 0);
  return sizes;
}

std::unique_ptr<Network> make_clip_resnet(const ClipResNetSizes& sizes, PositionRows position_rows,
                                          const TensorMap& tensors) {
  return std::make_unique<ClipResNet>(sizes, position_rows, tensors);
}

}  // namespace quasar::encoder
