// Trains the built-in encoder `mini` from a folder of good photos. See anchors/mini.md for what came out.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <optional>
#include <thread>

#include "base/allocator.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/progress.h"
#include "batch_feed.h"
#include "crop_pool.h"
#include "image/vips_environment.h"
#include "mini_trainer.h"
#include "validation.h"

namespace {

using namespace quasar;

struct Options {
  std::vector<std::filesystem::path> photos;
  std::filesystem::path weights = "mini.safetensors";
  std::filesystem::path state;
  std::vector<std::string> held_out = {"motion_blur", "multiplicative_noise", "pixelate", "quantisation"};
  std::int64_t steps = 4000;
  int save_every = 200;
  std::vector<std::filesystem::path> validation;
  int validation_photos = 20;
  int validate_every = 1000;
  int feed_threads = 1;
  int damage_patches = 24;
  train_mini::BatchConfig batch;
  train_mini::PoolConfig pool;
  train_mini::MiniTrainingConfig training;
};

std::vector<distort::DistortionKind> kinds_to_train(const Options& options) {
  std::vector<distort::DistortionKind> kinds;
  for (const auto& info : distort::distortion_table()) {
    if (std::find(options.held_out.begin(), options.held_out.end(), info.name) == options.held_out.end()) {
      kinds.push_back(info.kind);
    }
  }
  if (kinds.size() + options.held_out.size() != distort::distortion_table().size()) {
    base::fail(base::ExitCode::kUsage, "--hold-out names a distortion that does not exist");
  }
  return kinds;
}

/// Warm-up over the first hundredth, then half a cosine down to nothing.
double rate_at(std::int64_t step, std::int64_t steps) {
  const double progress = static_cast<double>(step) / static_cast<double>(steps);
  const double warm_up =
      std::min(1.0, static_cast<double>(step + 1) / (0.01 * static_cast<double>(steps) + 1));
  return warm_up * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

void report(const evaluation::DistortionAgreement& agreement, const Options& options, std::int64_t step) {
  std::vector<int> seen;
  std::vector<int> unseen;
  std::string by_kind;
  for (const auto& info : distort::distortion_table()) {
    const bool held_out =
        std::find(options.held_out.begin(), options.held_out.end(), info.name) != options.held_out.end();
    const int kind = static_cast<int>(info.kind);
    (held_out ? unseen : seen).push_back(kind);
    by_kind += fmt::format(" {} {:.2f}", info.name, agreement.within_kind[static_cast<std::size_t>(kind)]);
  }
  base::log_info(
      "validation after step {}: within-kind {:.3f} seen, {:.3f} unseen, cells {:.3f}, pairs {:.3f};{}", step,
      agreement.mean_within_kind(seen), agreement.mean_within_kind(unseen), agreement.cell_srcc,
      agreement.pairs_pristine_above, by_kind);
}

void train(Options options) {
  options.pool.kinds = kinds_to_train(options);
  options.pool.seed = options.training.seed;
  options.pool.side = options.batch.side;
  options.pool.growth_steps = std::max<std::int64_t>(1, options.steps * 3 / 4);
  // First what can be wrong at once: rendering takes minutes.
  train_mini::MiniTrainer trainer(options.training);
  if (!options.state.empty() && std::filesystem::exists(options.state)) {
    trainer.load_state(options.state);
    base::log_info("continues after step {}", trainer.steps_done());
  }
  const auto photos = train_mini::load_photos(options.photos);
  base::log_info("{} photos, {} kinds of distortion, {} held out", photos.size(), options.pool.kinds.size(),
                 options.held_out.size());
  std::optional<train_mini::Validation> validation;
  if (!options.validation.empty()) {
    auto others = train_mini::load_photos(options.validation);
    others.resize(std::min(others.size(), static_cast<std::size_t>(options.validation_photos)));
    validation.emplace(others, options.training.seed, options.pool.threads);
  }
  const auto damage =
      train_mini::measure_damage(photos, options.damage_patches, options.training.seed, options.pool.threads);
  const train_mini::CropPool pool(photos, damage, options.pool);

  const std::map<std::string, std::string> metadata = {
      {"encoder", "mini"},
      {"photos", std::to_string(photos.size())},
      {"seed", std::to_string(options.training.seed)},
      {"steps", std::to_string(options.steps)},
      {"held_out", fmt::format("{}", fmt::join(options.held_out, ","))},
  };
  base::Progress progress("train", "steps", static_cast<std::uint64_t>(options.steps));
  train_mini::BatchFeed feed(
      pool, trainer,
      {options.batch, options.training.seed, trainer.steps_done(), options.steps, options.feed_threads});
  std::string losses;
  for (std::int64_t step = trainer.steps_done(); step < options.steps; ++step) {
    trainer.step(*feed.next(), rate_at(step, options.steps));
    // Taking them waits for the device.
    constexpr std::int64_t kLossesEvery = 20;
    if (step % kLossesEvery == 0 || step + 1 == options.steps) {
      const auto mean = trainer.take_losses();
      losses = fmt::format("loss {:.3f}, pairs in order {:.3f}, of one kind {:.3f}", mean.ranking,
                           mean.pairs_in_order, mean.within_kind_in_order);
    }
    progress.update(static_cast<std::uint64_t>(step + 1), losses);
    if ((step + 1) % options.save_every == 0 || step + 1 == options.steps) {
      if (!options.state.empty()) trainer.save_state(options.state);
      trainer.export_weights(options.weights, metadata);
    }
    if (validation && ((step + 1) % options.validate_every == 0 || step + 1 == options.steps)) {
      report(validation->measure(trainer, pool, options.pool.threads), options, step + 1);
    }
  }
  progress.finish();
  trainer.export_weights(options.weights, metadata);
  base::log_info("the weights are in {}", options.weights.string());
}

int program(int argc, char** argv) {
  Options options;
  options.pool.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  CLI::App app(
      "Trains the built-in encoder from good photos and their rendered degradations; no human labels.");
  app.add_option("--photos", options.photos, "Folders of good photos")->required();
  app.add_option("--weights", options.weights, "Weights file to write")->capture_default_str();
  app.add_option("--state", options.state,
                 "Training state: written now and then, continued from when it is there");
  app.add_option("--hold-out", options.held_out, "Distortions to leave out")->capture_default_str();
  app.add_option("--steps", options.steps, "Steps in all")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--groups", options.pool.groups, "Windows of photos to degrade, two kinds each")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--first-groups", options.pool.first_groups,
                 "Those of them to render before the training begins; the others join over the first three "
                 "quarters of it (default: all)")
      ->check(CLI::PositiveNumber);
  app.add_option("--damage-patches", options.damage_patches,
                 "Patches of photos that tell how much each kind and level damages")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--kinds", options.batch.kinds, "Kinds of distortion in a batch")
      ->check(CLI::Range(2, 25))
      ->capture_default_str();
  app.add_option("--photos-per-kind", options.batch.photos_per_kind, "Photos of each kind in a batch")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  app.add_option("--levels", options.batch.levels, "Levels of each photo in a batch")
      ->check(CLI::Range(1, train_mini::kLevels))
      ->capture_default_str();
  app.add_option("--side", options.batch.side, "Pixels of a crop")
      ->check(CLI::Range(64, 384))
      ->capture_default_str();
  app.add_option("--validate", options.validation,
                 "Folders of photos to measure the agreement with people on, now and then; not trained on");
  app.add_option("--validate-every", options.validate_every, "Steps")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--validation-photos", options.validation_photos, "How many of them, from the first")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  app.add_option("--learning-rate", options.training.learning_rate)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--feature-dropout", options.training.feature_dropout,
                 "Share of the pooled features that a step leaves out")
      ->check(CLI::Range(0.0, 0.95))
      ->capture_default_str();
  app.add_option("--hidden-dropout", options.training.hidden_dropout,
                 "Share of the hidden units that a step leaves out")
      ->check(CLI::Range(0.0, 0.95))
      ->capture_default_str();
  app.add_option(
         "--pristine-weight", options.training.pristine_weight,
         "Weight in the loss of pairs of a pristine crop and a degraded one; pairs of one kind have 1")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--cross-kind-weight", options.training.cross_kind_weight,
                 "Weight in the loss of pairs of different kinds")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seed", options.training.seed, "Same seed, machine and threads: same weights")
      ->capture_default_str();
  const std::map<std::string, encoder::DeviceKind> devices = {{"cpu", encoder::DeviceKind::kCpu},
                                                              {"cuda", encoder::DeviceKind::kCuda}};
  app.add_option("--device", options.training.device, "Where to train")
      ->transform(CLI::CheckedTransformer(devices));
  app.add_flag("--bfloat16", options.training.bfloat16,
               "Convolve in bfloat16: faster where the device has it");
  app.add_option("--threads", options.pool.threads, "Threads that render")->check(CLI::PositiveNumber);
  app.add_option("--feed-threads", options.feed_threads, "Threads that draw batches ahead of the training")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(base::ExitCode::kUsage);
  }
  base::reuse_freed_memory();
  base::configure_logging(0, 1, base::LogLevel::kInfo);
  const image::VipsEnvironment vips;
  train(std::move(options));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto code = base::ExitCode::kInternal;
  try {
    return program(argc, argv);
  } catch (const base::Error& error) {
    std::fprintf(stderr, "train-mini: %s\n", error.what());
    code = error.code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train-mini: %s\n", error.what());
  }
  return static_cast<int>(code);
}
