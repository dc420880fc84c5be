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

/// Which of two crops is the better: known[i][j] is the weight of "i above j", 0 when nothing is known.
torch::Tensor known_orders(std::span<const TrainingCrop> crops, const MiniTrainingConfig& config) {
  const auto n = static_cast<std::int64_t>(crops.size());
  std::vector<float> weight(crops.size() * crops.size(), 0);
  for (std::size_t i = 0; i < crops.size(); ++i) {
    for (std::size_t j = 0; j < crops.size(); ++j) {
      const auto& a = crops[i];
      const auto& b = crops[j];
      float& w = weight[i * crops.size() + j];
      const bool comparable = a.kind == b.kind || a.strength == 0 || b.strength == 0;
      if (comparable) {
        w = a.strength < b.strength ? 1 : 0;
      } else if (a.damage + config.damage_margin < b.damage) {
        w = static_cast<float>(config.cross_kind_weight);
      }
    }
  }
  return torch::tensor(at::ArrayRef<float>(weight)).view({n, n});
}

torch::Tensor unit(const torch::Tensor& rows) {
  return rows / at::clamp_min(rows.norm(2, -1, true), 1e-12);
}

/// Logit of the score of each row against the centroids of the anchor rows.
torch::Tensor logits(const torch::Tensor& queries, const torch::Tensor& anchors,
                     const torch::Tensor& pristine) {
  const torch::Tensor good = unit(anchors.index({pristine}).mean(0));
  const torch::Tensor bad = unit(anchors.index({pristine.logical_not()}).mean(0));
  return at::mv(unit(queries), good - bad) / kTemperature;
}

}  // namespace

struct MiniTrainer::Impl {
  MiniTrainingConfig config;
  TensorMap weights;
  TensorMap average;
  TensorMap first_moment;
  TensorMap second_moment;
  std::int64_t steps = 0;

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
  const auto n = static_cast<std::int64_t>(crops.size());
  QUASAR_CHECK(pixels.size() ==
               crops.size() * static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3);
  const auto spec = mini_input_spec();
  // Pixels are read only; from_blob takes no const pointer.
  auto* const data = const_cast<std::uint8_t*>(pixels.data());
  const torch::Tensor input = torch::from_blob(data, {n, side, side, 3}, torch::kUInt8)
                                  .to(torch::kFloat32)
                                  .permute({0, 3, 1, 2})
                                  .div(255.0)
                                  .sub(spec.mean[0])
                                  .div(spec.std[0]);
  const torch::Tensor embeddings =
      mini_forward(impl_->weights, input, impl_->config.bfloat16 ? torch::kBFloat16 : torch::kFloat32);

  TrainingLosses losses;
  torch::Tensor total = torch::zeros({}, torch::kFloat32);
  double in_order = 0;
  double known_pairs = 0;
  for (int anchor_half = 0; anchor_half < 2; ++anchor_half) {
    std::vector<std::int64_t> anchor_rows;
    std::vector<std::int64_t> query_rows;
    std::vector<TrainingCrop> queries;
    std::vector<std::uint8_t> pristine;
    std::vector<float> target;
    for (std::size_t i = 0; i < crops.size(); ++i) {
      if (crops[i].half == anchor_half) {
        anchor_rows.push_back(static_cast<std::int64_t>(i));
        pristine.push_back(crops[i].strength == 0 ? 1 : 0);
      } else {
        query_rows.push_back(static_cast<std::int64_t>(i));
        queries.push_back(crops[i]);
        target.push_back(crops[i].strength == 0 ? 1.0F : 0.0F);
      }
    }
    const torch::Tensor anchors =
        embeddings.index_select(0, torch::tensor(at::ArrayRef<std::int64_t>(anchor_rows)));
    const torch::Tensor rows =
        embeddings.index_select(0, torch::tensor(at::ArrayRef<std::int64_t>(query_rows)));
    const torch::Tensor is_pristine = torch::tensor(at::ArrayRef<std::uint8_t>(pristine)).to(torch::kBool);
    const torch::Tensor score = logits(rows, anchors, is_pristine);
    const torch::Tensor difference = score.unsqueeze(1) - score.unsqueeze(0);
    const torch::Tensor weight = known_orders(queries, impl_->config);
    const torch::Tensor ranking =
        (at::softplus(-difference) * weight).sum() / at::clamp_min(weight.sum(), 1e-6);
    const torch::Tensor absolute =
        at::binary_cross_entropy_with_logits(score, torch::tensor(at::ArrayRef<float>(target)));
    total = total + 0.5 * (ranking + impl_->config.absolute_weight * absolute);
    losses.ranking += 0.5 * ranking.item<double>();
    losses.absolute += 0.5 * absolute.item<double>();
    const torch::Tensor known = weight > 0;
    known_pairs += known.sum().item<double>();
    in_order += (known.logical_and(difference > 0)).sum().item<double>();
  }
  total.backward();
  impl_->update(rate);
  losses.pairs_in_order = in_order / std::max(1.0, known_pairs);
  return losses;
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
  impl_->steps = std::stoll(steps->second);
}

void MiniTrainer::export_weights(const std::filesystem::path& path,
                                 const std::map<std::string, std::string>& metadata) const {
  write_safetensors(path, impl_->average, metadata);
}

}  // namespace quasar::encoder
