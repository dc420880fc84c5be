#include "encoder/mini_trainer.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/types.h>

#include <cmath>
#include <vector>

#include "base/errors.h"
#include "encoder/mini.h"

namespace quasar::encoder {
namespace {

constexpr double kTemperature = 0.07;
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;
constexpr double kGradientLimit = 1.0;

/// Pairs of crops whose order is known: better[p] must score above worse[p].
struct Pairs {
  std::vector<std::int64_t> better;
  std::vector<std::int64_t> worse;

  void add(std::size_t b, std::size_t w) {
    better.push_back(static_cast<std::int64_t>(b));
    worse.push_back(static_cast<std::int64_t>(w));
  }
};

struct KnownOrders {
  Pairs within_kind;
  Pairs pristine;
  Pairs cross_kind;
};

KnownOrders known_orders(std::span<const TrainingCrop> crops, double damage_margin) {
  KnownOrders known;
  for (std::size_t i = 0; i < crops.size(); ++i) {
    for (std::size_t j = 0; j < crops.size(); ++j) {
      const auto& a = crops[i];
      const auto& b = crops[j];
      if (a.strength == 0) {
        if (b.strength > 0) known.pristine.add(i, j);
      } else if (a.kind == b.kind) {
        if (a.strength < b.strength) known.within_kind.add(i, j);
      } else if (a.damage + damage_margin < b.damage && b.strength > 0) {
        known.cross_kind.add(i, j);
      }
    }
  }
  return known;
}

torch::Tensor indices(const std::vector<std::int64_t>& values) {
  return torch::tensor(at::ArrayRef<std::int64_t>(values));
}

/// Mean of softplus(worse - better) over the pairs; counts those in order.
torch::Tensor ranking_loss(const torch::Tensor& score, const Pairs& pairs, double& in_order) {
  if (pairs.better.empty()) return torch::zeros({}, torch::kFloat32);
  const torch::Tensor difference =
      score.index_select(0, indices(pairs.better)) - score.index_select(0, indices(pairs.worse));
  in_order += (difference > 0).sum().item<double>();
  return at::softplus(-difference).mean();
}

torch::Tensor unit(const torch::Tensor& rows) {
  return rows / at::clamp_min(rows.norm(2, -1, true), 1e-12);
}

/// Pixels [n, h, w, 3] as the network takes them.
torch::Tensor as_input(std::span<const std::uint8_t> pixels, std::int64_t n, int height, int width) {
  QUASAR_CHECK(pixels.size() == static_cast<std::size_t>(n) * static_cast<std::size_t>(height) *
                                    static_cast<std::size_t>(width) * 3);
  const auto spec = mini_input_spec();
  // Pixels are read only; from_blob takes no const pointer.
  auto* const data = const_cast<std::uint8_t*>(pixels.data());
  return torch::from_blob(data, {n, height, width, 3}, torch::kUInt8)
      .to(torch::kFloat32)
      .permute({0, 3, 1, 2})
      .div(255.0)
      .sub(spec.mean[0])
      .div(spec.std[0]);
}

}  // namespace

struct MiniTrainer::Impl {
  MiniTrainingConfig config;
  TensorMap weights;
  TensorMap average;
  TensorMap first_moment;
  TensorMap second_moment;
  /// Means of the batches before: row 0 good, row 1 bad.
  torch::Tensor centroids;
  std::int64_t steps = 0;

  torch::ScalarType convolutions() const { return config.bfloat16 ? torch::kBFloat16 : torch::kFloat32; }

  /// The features start at mean 0 and deviation 1: logarithms of pooled activations are far from both.
  void even_out(const torch::Tensor& input) {
    const torch::NoGradGuard no_grad;
    const torch::Tensor features = mini_features(weights, input, convolutions());
    weights["norm.shift"].copy_(features.mean(0));
    weights["norm.scale"].copy_(1 / (features.std(0, false) + 0.1));
    average["norm.shift"].copy_(weights["norm.shift"]);
    average["norm.scale"].copy_(weights["norm.scale"]);
  }

  /// Logit of the score of each query against the centroids of the anchors and of the batches before.
  torch::Tensor logits(const torch::Tensor& queries, const torch::Tensor& anchors,
                       const torch::Tensor& pristine) const {
    const double share = steps == 0 ? 1 : config.batch_share;
    const torch::Tensor good = anchors.index({pristine}).mean(0) * share + centroids[0] * (1 - share);
    const torch::Tensor bad =
        anchors.index({pristine.logical_not()}).mean(0) * share + centroids[1] * (1 - share);
    return at::mv(unit(queries), unit(good) - unit(bad)) / kTemperature;
  }

  void remember(const torch::Tensor& embeddings, const torch::Tensor& pristine) {
    const torch::NoGradGuard no_grad;
    constexpr double kDecay = 0.95;
    const double keep = std::min(kDecay, static_cast<double>(steps) / static_cast<double>(steps + 1));
    const torch::Tensor now =
        at::stack({embeddings.index({pristine}).mean(0), embeddings.index({pristine.logical_not()}).mean(0)});
    centroids.mul_(keep).add_(now, 1 - keep);
  }

  void update(double rate) {
    const torch::NoGradGuard no_grad;
    double norm = 0;
    for (const auto& [name, weight] : weights) norm += weight.grad().square().sum().item<double>();
    const double clip = std::min(1.0, kGradientLimit / (std::sqrt(norm) + 1e-12));
    ++steps;
    const double step_size = config.learning_rate * rate / (1 - std::pow(kBeta1, static_cast<double>(steps)));
    const double correction = std::sqrt(1 - std::pow(kBeta2, static_cast<double>(steps)));
    // The running average starts as a plain one.
    const double decay =
        std::min(config.average_decay, static_cast<double>(steps) / static_cast<double>(steps + 9));
    for (auto& [name, weight] : weights) {
      const torch::Tensor gradient = weight.grad() * clip;
      first_moment[name].mul_(kBeta1).add_(gradient, 1 - kBeta1);
      second_moment[name].mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
      if (weight.dim() > 1) weight.mul_(1 - config.learning_rate * rate * config.weight_decay);
      weight.addcdiv_(first_moment[name], second_moment[name].sqrt().div_(correction).add_(kEpsilon),
                      -step_size);
      average[name].mul_(decay).add_(weight.detach(), 1 - decay);
      weight.mutable_grad() = torch::Tensor();
    }
  }
};

MiniTrainer::MiniTrainer(const MiniTrainingConfig& config) : impl_(std::make_unique<Impl>()) {
  impl_->config = config;
  impl_->weights = random_mini_weights(config.seed);
  impl_->centroids = torch::zeros({2, impl_->weights.at("head.weight").size(0)}, torch::kFloat32);
  for (auto& [name, weight] : impl_->weights) {
    impl_->average[name] = weight.clone();
    impl_->first_moment[name] = at::zeros_like(weight);
    impl_->second_moment[name] = at::zeros_like(weight);
    weight.requires_grad_(true);
  }
}

MiniTrainer::~MiniTrainer() = default;

TrainingLosses MiniTrainer::step(std::span<const std::uint8_t> pixels, int side,
                                 std::span<const TrainingCrop> crops, double rate) {
  const torch::Tensor input = as_input(pixels, static_cast<std::int64_t>(crops.size()), side, side);
  if (impl_->steps == 0) impl_->even_out(input);
  const torch::Tensor embeddings = mini_forward(impl_->weights, input, impl_->convolutions());

  const auto& config = impl_->config;
  TrainingLosses losses;
  torch::Tensor total = torch::zeros({}, torch::kFloat32);
  double known_pairs = 0;
  double kind_pairs = 0;
  double in_order = 0;
  double kind_in_order = 0;
  std::vector<std::uint8_t> all_pristine;
  for (const auto& crop : crops) all_pristine.push_back(crop.strength == 0 ? 1 : 0);
  const torch::Tensor is_pristine = torch::tensor(at::ArrayRef<std::uint8_t>(all_pristine)).to(torch::kBool);
  for (int anchor_half = 0; anchor_half < 2; ++anchor_half) {
    std::vector<std::int64_t> anchor_rows;
    std::vector<std::int64_t> query_rows;
    std::vector<TrainingCrop> queries;
    for (std::size_t i = 0; i < crops.size(); ++i) {
      (crops[i].half == anchor_half ? anchor_rows : query_rows).push_back(static_cast<std::int64_t>(i));
      if (crops[i].half != anchor_half) queries.push_back(crops[i]);
    }
    const torch::Tensor anchors = indices(anchor_rows);
    const torch::Tensor rows = indices(query_rows);
    const torch::Tensor score =
        impl_->logits(embeddings.index_select(0, rows), embeddings.index_select(0, anchors),
                      is_pristine.index_select(0, anchors));
    const KnownOrders known = known_orders(queries, config.damage_margin);
    double pristine_in_order = 0;
    double cross_in_order = 0;
    double within_in_order = 0;
    const torch::Tensor ranking =
        ranking_loss(score, known.within_kind, within_in_order) * config.within_kind_weight +
        ranking_loss(score, known.pristine, pristine_in_order) * config.pristine_weight +
        ranking_loss(score, known.cross_kind, cross_in_order) * config.cross_kind_weight;
    const torch::Tensor absolute =
        at::binary_cross_entropy_with_logits(score, is_pristine.index_select(0, rows).to(torch::kFloat32));
    total = total + 0.5 * (ranking + config.absolute_weight * absolute);
    losses.ranking += 0.5 * ranking.item<double>();
    losses.absolute += 0.5 * absolute.item<double>();
    kind_pairs += static_cast<double>(known.within_kind.better.size());
    kind_in_order += within_in_order;
    known_pairs += static_cast<double>(known.within_kind.better.size() + known.pristine.better.size() +
                                       known.cross_kind.better.size());
    in_order += within_in_order + pristine_in_order + cross_in_order;
  }
  total.backward();
  impl_->remember(embeddings.detach(), is_pristine);
  impl_->update(rate);
  losses.pairs_in_order = in_order / std::max(1.0, known_pairs);
  losses.within_kind_in_order = kind_in_order / std::max(1.0, kind_pairs);
  return losses;
}

std::vector<float> MiniTrainer::embed(std::span<const std::uint8_t> pixels, int height, int width) const {
  const torch::NoGradGuard no_grad;
  const std::size_t picture = static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
  const torch::Tensor input =
      as_input(pixels, static_cast<std::int64_t>(pixels.size() / picture), height, width);
  const torch::Tensor rows = mini_forward(impl_->average, input, impl_->convolutions()).contiguous();
  return {rows.data_ptr<float>(), rows.data_ptr<float>() + rows.numel()};
}

int MiniTrainer::dimension() const {
  return static_cast<int>(impl_->average.at("head.weight").size(0));
}

std::int64_t MiniTrainer::steps_done() const {
  return impl_->steps;
}

void MiniTrainer::save_state(const std::filesystem::path& path) const {
  TensorMap all;
  for (const auto& [name, weight] : impl_->weights) all["weight/" + name] = weight.detach();
  for (const auto& [name, tensor] : impl_->average) all["average/" + name] = tensor;
  for (const auto& [name, tensor] : impl_->first_moment) all["first/" + name] = tensor;
  for (const auto& [name, tensor] : impl_->second_moment) all["second/" + name] = tensor;
  all["centroids"] = impl_->centroids;
  write_safetensors(path, all, {{"steps", std::to_string(impl_->steps)}});
}

void MiniTrainer::load_state(const std::filesystem::path& path) {
  const Checkpoint state = read_checkpoint(path);
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
  take("weight/", impl_->weights);
  take("average/", impl_->average);
  take("first/", impl_->first_moment);
  take("second/", impl_->second_moment);
  TensorMap centroids = {{"centroids", impl_->centroids}};
  take("", centroids);
  impl_->steps = std::stoll(steps->second);
}

void MiniTrainer::export_weights(const std::filesystem::path& path,
                                 const std::map<std::string, std::string>& metadata) const {
  write_safetensors(path, impl_->average, metadata);
}

}  // namespace quasar::encoder
