#include "mini_trainer.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/errors.h"
#include "base/random.h"
#include "encoder/choose_device.h"
#include "encoder/encoder_config.h"
#include "encoder/mini.h"

namespace quasar::train_mini {
namespace {

using encoder::Checkpoint;
using encoder::mini_features;
using encoder::mini_forward;
using encoder::mini_head;
using encoder::TensorMap;

constexpr double kTemperature = 0.07;
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;
constexpr double kGradientLimit = 1.0;
/// Sets the seeds of what is left out apart from others that are derived from the same seed.
constexpr std::uint64_t kDropoutStream = 2;

/// What is known of the order of two crops, the first above the second.
enum Order : std::uint8_t { kUnknown, kWithinKind, kPristine, kCrossKind, kOrders };

/// Mean of numbers that a GPU adds up while the host goes on.
enum Sum : std::int64_t { kRanking, kAbsolute, kInOrder, kKindInOrder, kSums };

Order order_of(const TrainingCrop& a, const TrainingCrop& b, double damage_margin) {
  if (a.half != b.half) return kUnknown;
  if (a.strength == 0) return b.strength > 0 ? kPristine : kUnknown;
  if (a.kind == b.kind) {
    return a.direction == b.direction && a.strength < b.strength ? kWithinKind : kUnknown;
  }
  return a.damage + damage_margin < b.damage && b.strength > 0 ? kCrossKind : kUnknown;
}

/// Weight of every pair (better, worse) of crops in the loss [n, n]: that of its part over the number of the
/// part's pairs in its half. Second: 1 / known pairs where an order is known; third: 1 / pairs of one kind
/// where it is within a kind. Float32, [3, n, n].
torch::Tensor pair_weights(std::span<const TrainingCrop> crops, const MiniTrainingConfig& config) {
  const std::size_t n = crops.size();
  std::vector<Order> orders(n * n, kUnknown);
  std::array<std::array<double, kOrders>, 2> counts{};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const Order order = order_of(crops[i], crops[j], config.damage_margin);
      orders[i * n + j] = order;
      ++counts[static_cast<std::size_t>(crops[i].half)][order];
    }
  }
  const std::array<double, kOrders> part = {0, config.within_kind_weight, config.pristine_weight,
                                            config.cross_kind_weight};
  double known = 0;
  double of_kind = 0;
  std::array<std::array<float, kOrders>, 2> weight{};
  for (std::size_t half = 0; half < 2; ++half) {
    for (std::size_t o = kWithinKind; o < kOrders; ++o) {
      known += counts[half][o];
      weight[half][o] = static_cast<float>(0.5 * part[o] / std::max(1.0, counts[half][o]));
    }
    of_kind += counts[half][kWithinKind];
  }
  torch::Tensor result =
      at::zeros({3, static_cast<std::int64_t>(n), static_cast<std::int64_t>(n)}, torch::kFloat32);
  float* const to = result.data_ptr<float>();
  for (std::size_t p = 0; p < n * n; ++p) {
    if (orders[p] == kUnknown) continue;
    to[p] = weight[static_cast<std::size_t>(crops[p / n].half)][orders[p]];
    to[n * n + p] = static_cast<float>(1 / known);
    if (orders[p] == kWithinKind) to[2 * n * n + p] = static_cast<float>(1 / of_kind);
  }
  return result;
}

torch::Tensor unit(const torch::Tensor& rows) {
  return rows / at::clamp_min(rows.norm(2, -1, true), 1e-12);
}

/// Bytes [n, h, w, 3] as the network takes them.
torch::Tensor normalised(const torch::Tensor& bytes) {
  const auto spec = encoder::effective_input(encoder::EncoderConfig{});
  return bytes.to(torch::kFloat32).permute({0, 3, 1, 2}).div_(255.0).sub_(spec.mean[0]).div_(spec.std[0]);
}

/// The pixels where they lie, [n, height, width, 3].
torch::Tensor as_bytes(std::span<const std::uint8_t> pixels, std::int64_t n, int height, int width) {
  QUASAR_CHECK(pixels.size() == static_cast<std::size_t>(n) * static_cast<std::size_t>(height) *
                                    static_cast<std::size_t>(width) * 3);
  // Pixels are read only; from_blob takes no const pointer.
  auto* const data = const_cast<std::uint8_t*>(pixels.data());
  return torch::from_blob(data, {n, height, width, 3}, torch::kUInt8);
}

torch::Device training_device(encoder::DeviceKind kind) {
  encoder::EncoderConfig config;
  config.device = kind;
  return encoder::choose_device(config, 0);
}

/// Tensors of several shapes in one block of memory, so that an optimizer's operations run over all at once.
class Block {
 public:
  Block(const TensorMap& like, torch::Device device) {
    std::int64_t size = 0;
    for (const auto& [name, tensor] : like) size += tensor.numel();
    all_ = at::zeros({size}, torch::TensorOptions().dtype(torch::kFloat32).device(device));
    std::int64_t begin = 0;
    for (const auto& [name, tensor] : like) {
      parts_[name] = all_.narrow(0, begin, tensor.numel()).view(tensor.sizes());
      begin += tensor.numel();
    }
  }

  /// [all numbers]
  const torch::Tensor& all() const { return all_; }
  /// Views of it by name.
  TensorMap& parts() { return parts_; }
  const TensorMap& parts() const { return parts_; }

 private:
  torch::Tensor all_;
  TensorMap parts_;
};

}  // namespace

struct StagedBatch {
  torch::Tensor pixels;             ///< [n, side, side, 3], uint8
  torch::Tensor weights;            ///< pair_weights
  torch::Tensor halves;             ///< [n], float32: 0 or 1
  torch::Tensor pristine;           ///< [n], float32: 1 or 0
  std::vector<std::uint8_t> bytes;  ///< What pixels lie in, where that is ordinary memory.
};

struct MiniTrainer::Impl {
  MiniTrainingConfig config;
  torch::Device device;
  Block weights;   ///< Its parts are what gradients are taken for.
  Block gradient;  ///< Of the same places.
  Block average;
  Block first_moment;
  Block second_moment;
  Block decays;  ///< 1 where weight decay applies.
  /// Means of the batches before: row 0 good, row 1 bad.
  torch::Tensor centroids;
  torch::Tensor sums;  ///< [kSums], float32, over the steps since they were taken.
  std::int64_t summed = 0;
  std::int64_t steps = 0;

  Impl(const MiniTrainingConfig& given, const TensorMap& start)
      : config(given),
        device(training_device(given.device)),
        weights(start, device),
        gradient(start, device),
        average(start, device),
        first_moment(start, device),
        second_moment(start, device),
        decays(start, device),
        centroids(zeros({2, start.at("head.weight").size(0)})),
        sums(zeros({kSums})) {
    for (const auto& [name, weight] : start) {
      weights.parts().at(name).copy_(weight);
      if (weight.dim() > 1) decays.parts().at(name).fill_(1);
      torch::Tensor leaf = weights.parts().at(name).detach();
      leaf.requires_grad_(true).mutable_grad() = gradient.parts().at(name);
      weights.parts().at(name) = leaf;
    }
    average.all().copy_(weights.all());
  }

  torch::Tensor zeros(at::IntArrayRef shape) const {
    return at::zeros(shape, torch::TensorOptions().dtype(torch::kFloat32).device(device));
  }
  torch::Tensor on_device(const torch::Tensor& tensor) const {
    return tensor.to(device, /*non_blocking=*/true);
  }
  torch::ScalarType convolutions() const { return config.bfloat16 ? torch::kBFloat16 : torch::kFloat32; }

  /// The features start at mean 0 and deviation 1: logarithms of pooled activations are far from both.
  void even_out(const torch::Tensor& input) {
    const torch::NoGradGuard no_grad;
    const torch::Tensor features = mini_features(weights.parts(), input, convolutions());
    weights.parts().at("norm.shift").copy_(features.mean(0));
    weights.parts().at("norm.scale").copy_(1 / (features.std(0, false) + 0.1));
    average.all().copy_(weights.all());
  }

  /// Logit of the score of each crop against the centroids of the anchors, the other half's crops, and of the
  /// batches before; [n].
  torch::Tensor logits(const torch::Tensor& embeddings, const torch::Tensor& halves,
                       const torch::Tensor& pristine) const {
    const double share = steps == 0 ? 1 : config.batch_share;
    // [half of the anchors, good or bad, n]: which crops a centroid is the mean of.
    const torch::Tensor of_half = at::stack({1 - halves, halves});
    torch::Tensor members = of_half.unsqueeze(1) * at::stack({pristine, 1 - pristine});
    members = members / at::clamp_min(members.sum(2, true), 1);
    const torch::Tensor means = at::matmul(members, embeddings) * share + centroids * (1 - share);
    const torch::Tensor directions = unit(means.select(1, 0)) - unit(means.select(1, 1));
    const torch::Tensor both = at::matmul(unit(embeddings), directions.t()) / kTemperature;
    // A crop's anchors are in the other half.
    return both.select(1, 0) * halves + both.select(1, 1) * (1 - halves);
  }

  /// The weights of this step: those of features and hidden units that are left out are 0, the others larger
  /// in turn.
  TensorMap with_dropout() const {
    TensorMap kept = weights.parts();
    auto generator = at::detail::createCPUGenerator(
        base::derive_seed(config.seed, static_cast<std::uint64_t>(steps), kDropoutStream));
    const auto leave_out = [&](const std::string& name, double share) {
      if (share <= 0) return;
      torch::Tensor& weight = kept.at(name);
      const torch::Tensor mask =
          at::empty({weight.size(1)}, torch::kFloat32).bernoulli_(1 - share, generator) / (1 - share);
      weight = weight * on_device(mask);
    };
    leave_out("hidden.weight", config.feature_dropout);
    leave_out("head.weight", config.hidden_dropout);
    return kept;
  }

  void remember(const torch::Tensor& embeddings, const torch::Tensor& pristine) {
    const torch::NoGradGuard no_grad;
    constexpr double kDecay = 0.95;
    const double keep = std::min(kDecay, static_cast<double>(steps) / static_cast<double>(steps + 1));
    torch::Tensor members = at::stack({pristine, 1 - pristine});
    members = members / at::clamp_min(members.sum(1, true), 1);
    centroids.mul_(keep).add_(at::matmul(members, embeddings), 1 - keep);
  }

  void update(double rate) {
    const torch::NoGradGuard no_grad;
    const torch::Tensor& g = gradient.all();
    g.mul_(at::clamp_max(kGradientLimit / (g.norm() + 1e-12), 1.0));
    ++steps;
    const double step_size = config.learning_rate * rate / (1 - std::pow(kBeta1, static_cast<double>(steps)));
    const double correction = std::sqrt(1 - std::pow(kBeta2, static_cast<double>(steps)));
    // The running average starts as a plain one.
    const double decay =
        std::min(config.average_decay, static_cast<double>(steps) / static_cast<double>(steps + 9));
    first_moment.all().mul_(kBeta1).add_(g, 1 - kBeta1);
    second_moment.all().mul_(kBeta2).addcmul_(g, g, 1 - kBeta2);
    const torch::Tensor& w = weights.all();
    w.addcmul_(w, decays.all(), -config.learning_rate * rate * config.weight_decay);
    w.addcdiv_(first_moment.all(), second_moment.all().sqrt().div_(correction).add_(kEpsilon), -step_size);
    average.all().mul_(decay).add_(w, 1 - decay);
    g.zero_();
  }
};

MiniTrainer::MiniTrainer(const MiniTrainingConfig& config)
    : impl_(std::make_unique<Impl>(config, encoder::random_mini_weights(config.seed))) {
  // Shapes never change, so the search for the fastest convolutions is done once.
  if (!impl_->device.is_cpu()) at::globalContext().setBenchmarkCuDNN(true);
}

MiniTrainer::~MiniTrainer() = default;

std::shared_ptr<const StagedBatch> MiniTrainer::stage(std::vector<std::uint8_t> pixels, int side,
                                                      std::span<const TrainingCrop> crops) const {
  auto batch = std::make_shared<StagedBatch>();
  std::vector<float> halves;
  std::vector<float> pristine;
  for (const auto& crop : crops) {
    halves.push_back(static_cast<float>(crop.half));
    pristine.push_back(crop.strength == 0 ? 1.0F : 0.0F);
  }
  batch->weights = pair_weights(crops, impl_->config);
  batch->halves = torch::tensor(at::ArrayRef<float>(halves));
  batch->pristine = torch::tensor(at::ArrayRef<float>(pristine));
  batch->bytes = std::move(pixels);
  batch->pixels = as_bytes(batch->bytes, static_cast<std::int64_t>(crops.size()), side, side);
  if (!impl_->device.is_cpu()) {
    for (auto* const tensor : {&batch->weights, &batch->halves, &batch->pristine, &batch->pixels}) {
      *tensor = tensor->pin_memory();
    }
    batch->bytes.clear();
    batch->bytes.shrink_to_fit();
  }
  return batch;
}

void MiniTrainer::step(const StagedBatch& batch, double rate) {
  const torch::Tensor input = normalised(impl_->on_device(batch.pixels));
  const torch::Tensor halves = impl_->on_device(batch.halves);
  const torch::Tensor pristine = impl_->on_device(batch.pristine);
  const torch::Tensor weights = impl_->on_device(batch.weights);
  if (impl_->steps == 0) impl_->even_out(input);
  const torch::Tensor embeddings = mini_forward(impl_->with_dropout(), input, impl_->convolutions());
  const torch::Tensor score = impl_->logits(embeddings, halves, pristine);
  const torch::Tensor difference = score.unsqueeze(1) - score.unsqueeze(0);
  const torch::Tensor ranking = (at::softplus(-difference) * weights[0]).sum();
  const torch::Tensor absolute = at::binary_cross_entropy_with_logits(score, pristine);
  torch::autograd::backward({ranking + impl_->config.absolute_weight * absolute}, {});
  const torch::NoGradGuard no_grad;
  const torch::Tensor in_order = (weights.slice(0, 1, 3) * (difference > 0)).sum({1, 2});
  impl_->sums.add_(at::cat({at::stack({ranking, absolute}), in_order}));
  ++impl_->summed;
  impl_->remember(embeddings.detach(), pristine);
  impl_->update(rate);
}

TrainingLosses MiniTrainer::take_losses() {
  const torch::Tensor mean =
      (impl_->sums / static_cast<double>(std::max<std::int64_t>(1, impl_->summed))).to(torch::kCPU);
  impl_->sums.zero_();
  impl_->summed = 0;
  const float* const values = mean.data_ptr<float>();
  return {values[kRanking], values[kAbsolute], values[kInOrder], values[kKindInOrder]};
}

std::vector<float> MiniTrainer::embed(std::span<const std::uint8_t> pixels, int height, int width) const {
  const torch::NoGradGuard no_grad;
  const std::size_t picture = static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
  const torch::Tensor bytes =
      as_bytes(pixels, static_cast<std::int64_t>(pixels.size() / picture), height, width);
  const torch::Tensor rows =
      mini_forward(impl_->average.parts(), normalised(bytes.to(impl_->device)), impl_->convolutions())
          .to(torch::kCPU)
          .contiguous();
  return {rows.data_ptr<float>(), rows.data_ptr<float>() + rows.numel()};
}

int MiniTrainer::dimension() const {
  return static_cast<int>(impl_->average.parts().at("head.weight").size(0));
}

std::int64_t MiniTrainer::steps_done() const {
  return impl_->steps;
}

void MiniTrainer::save_state(const std::filesystem::path& path) const {
  TensorMap all;
  const auto put = [&](const std::string& prefix, const Block& block) {
    for (const auto& [name, tensor] : block.parts()) all[prefix + name] = tensor.detach().to(torch::kCPU);
  };
  put("weight/", impl_->weights);
  put("average/", impl_->average);
  put("first/", impl_->first_moment);
  put("second/", impl_->second_moment);
  all["centroids"] = impl_->centroids.to(torch::kCPU);
  encoder::write_safetensors(path, all, {{"steps", std::to_string(impl_->steps)}});
}

void MiniTrainer::load_state(const std::filesystem::path& path) {
  const Checkpoint state = encoder::read_checkpoint(path);
  const auto steps = state.metadata.find("steps");
  const auto take = [&](const std::string& prefix, TensorMap& into) {
    for (auto& [name, tensor] : into) {
      const auto found = state.tensors.find(prefix + name);
      if (found == state.tensors.end() || found->second.sizes() != tensor.sizes()) {
        base::fail(base::ExitCode::kInput, path.string() + " is no training state of this network: " +
                                               prefix + name + " is missing or has another shape");
      }
      const torch::NoGradGuard no_grad;
      tensor.copy_(found->second);
    }
  };
  if (steps == state.metadata.end()) {
    base::fail(base::ExitCode::kInput,
               path.string() + " is no training state: it does not say after which step");
  }
  take("weight/", impl_->weights.parts());
  take("average/", impl_->average.parts());
  take("first/", impl_->first_moment.parts());
  take("second/", impl_->second_moment.parts());
  TensorMap centroids = {{"centroids", impl_->centroids}};
  take("", centroids);
  impl_->steps = std::stoll(steps->second);
}

void MiniTrainer::export_weights(const std::filesystem::path& path,
                                 const std::map<std::string, std::string>& metadata) const {
  // Half the bytes for the matrices, which are nearly all; the averaging of many products hides the rounding.
  TensorMap all;
  for (const auto& [name, tensor] : impl_->average.parts()) {
    constexpr std::int64_t kLarge = 1024;
    all[name] =
        tensor.to(torch::kCPU, tensor.numel() >= kLarge && tensor.dim() > 1 ? torch::kHalf : torch::kFloat32);
  }
  encoder::write_safetensors(path, all, metadata);
}

}  // namespace quasar::train_mini
