#include "mini_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/errors.h"
#include "base/random.h"
#include "encoder/make_encoder.h"
#include "support/test_data.h"

namespace quasar::train_mini {
namespace {

constexpr int kSide = 64;

struct Batch {
  std::vector<std::uint8_t> pixels;
  std::vector<TrainingCrop> crops;
};

/// Smooth waves, and the same under noise of two strengths: an order that a small network learns at once.
Batch waves_and_noise(std::uint64_t seed) {
  base::Random random(seed);
  Batch batch;
  for (int photo = 0; photo < 6; ++photo) {
    const double fx = random.uniform(0.05, 0.3);
    const double fy = random.uniform(0.05, 0.3);
    for (int strength = 0; strength < 3; ++strength) {
      for (int y = 0; y < kSide; ++y) {
        for (int x = 0; x < kSide; ++x) {
          const double wave = 128 + 60 * std::sin(fx * x) * std::cos(fy * y);
          for (int c = 0; c < 3; ++c) {
            const double value = wave + 12.0 * strength * random.normal();
            batch.pixels.push_back(static_cast<std::uint8_t>(std::min(255.0, std::max(0.0, value))));
          }
        }
      }
      batch.crops.push_back(
          {photo % 2, strength == 0 ? 0 : 11, static_cast<double>(strength), 0.1 * strength});
    }
  }
  return batch;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0;
  double norm_a = 0;
  double norm_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    norm_a += double{a[i]} * a[i];
    norm_b += double{b[i]} * b[i];
  }
  return dot / std::sqrt(norm_a * norm_b);
}

TrainingLosses run(MiniTrainer& trainer, int from, int to) {
  TrainingLosses last;
  for (int step = from; step < to; ++step) {
    const auto batch = waves_and_noise(static_cast<std::uint64_t>(step));
    trainer.step(*trainer.stage(batch.pixels, kSide, batch.crops), 1.0);
    last = trainer.take_losses();
  }
  return last;
}

TEST(MiniTrainer, LearnsAnOrder) {
  MiniTrainer trainer({});
  const auto first = run(trainer, 0, 1);
  const auto last = run(trainer, 1, 40);
  EXPECT_LT(last.ranking, 0.5 * first.ranking);
  EXPECT_GT(last.pairs_in_order, 0.95);
  EXPECT_GT(last.within_kind_in_order, 0.95);
}

TEST(MiniTrainer, LossesAreMeansOverTheStepsSinceTheyWereTaken) {
  MiniTrainer one({});
  const auto first = run(one, 0, 1);
  const auto second = run(one, 1, 2);
  MiniTrainer two({});
  for (std::uint64_t step = 0; step < 2; ++step) {
    const auto batch = waves_and_noise(step);
    two.step(*two.stage(batch.pixels, kSide, batch.crops), 1.0);
  }
  const auto both = two.take_losses();
  EXPECT_NEAR(both.ranking, (first.ranking + second.ranking) / 2, 1e-5);
  EXPECT_NEAR(both.absolute, (first.absolute + second.absolute) / 2, 1e-5);
  EXPECT_NEAR(both.pairs_in_order, (first.pairs_in_order + second.pairs_in_order) / 2, 1e-5);
}

TEST(MiniTrainer, StrengthsInTwoDirectionsHaveNoOrder) {
  const auto loss = [](int direction, double first, double second) {
    auto batch = waves_and_noise(0);
    for (auto& crop : batch.crops) {
      const bool weaker = crop.strength == 1;
      if (crop.strength > 0) crop.strength = weaker ? first : second;
      if (weaker) crop.direction = direction;
      crop.damage = 0;
    }
    MiniTrainer trainer({});
    trainer.step(*trainer.stage(batch.pixels, kSide, batch.crops), 1.0);
    return trainer.take_losses().ranking;
  };
  EXPECT_EQ(loss(-1, 1, 2), loss(-1, 2, 1));
  EXPECT_NE(loss(0, 1, 2), loss(0, 2, 1));
}

TEST(MiniTrainer, AStepLeavesOutTheSameForAllItsCrops) {
  MiniTrainingConfig config;
  auto batch = waves_and_noise(0);
  const auto ranking = [&](double share) {
    config.feature_dropout = share;
    config.hidden_dropout = share;
    MiniTrainer trainer(config);
    trainer.step(*trainer.stage(batch.pixels, kSide, batch.crops), 1.0);
    return trainer.take_losses().ranking;
  };
  EXPECT_NE(ranking(0.5), ranking(0));
  // Of equal crops no score differs, whatever is left out.
  const auto crop = static_cast<std::ptrdiff_t>(kSide) * kSide * 3;
  for (auto at = batch.pixels.begin() + crop; at != batch.pixels.end(); at += crop) {
    std::copy_n(batch.pixels.begin(), crop, at);
  }
  EXPECT_NEAR(ranking(0.5), std::log(2.0) * (config.within_kind_weight + config.pristine_weight), 1e-5);
}

TEST(MiniTrainer, DropoutChangesTheTrainingAndNotTheEmbedding) {
  const auto batch = waves_and_noise(0);
  const auto embedding_after = [&](int steps, double share) {
    MiniTrainingConfig config;
    config.feature_dropout = share;
    config.hidden_dropout = share;
    MiniTrainer trainer(config);
    run(trainer, 0, steps);
    return trainer.embed(batch.pixels, kSide, kSide);
  };
  EXPECT_EQ(embedding_after(0, 0), embedding_after(0, 0.5));
  EXPECT_NE(embedding_after(2, 0), embedding_after(2, 0.5));
}

TEST(MiniTrainer, GoesOnFromItsStateBitForBit) {
  const test::ScratchFolder folder;
  MiniTrainer straight({});
  run(straight, 0, 6);
  MiniTrainer begun({});
  run(begun, 0, 3);
  begun.save_state(folder.path() / "state");
  MiniTrainer resumed({});
  resumed.load_state(folder.path() / "state");
  EXPECT_EQ(resumed.steps_done(), 3);
  run(resumed, 3, 6);
  const auto batch = waves_and_noise(99);
  EXPECT_EQ(straight.embed(batch.pixels, kSide, kSide), resumed.embed(batch.pixels, kSide, kSide));
}

TEST(MiniTrainer, WhatItExportsIsTheEncoder) {
  const test::ScratchFolder folder;
  MiniTrainer trainer({});
  run(trainer, 0, 4);
  trainer.export_weights(folder.path() / "mini.safetensors", {{"encoder", "mini"}});
  encoder::EncoderConfig config;
  config.architecture = "mini";
  config.weights = folder.path() / "mini.safetensors";
  const auto encoder = encoder::make_encoder(config, 0);
  ASSERT_EQ(encoder->dimension(), trainer.dimension());
  const auto batch = waves_and_noise(7);
  const int count = static_cast<int>(batch.crops.size());
  std::vector<float> rows(batch.crops.size() * static_cast<std::size_t>(encoder->dimension()));
  encoder->encode({count, kSide, kSide, batch.pixels}, rows);
  const auto expected = trainer.embed(batch.pixels, kSide, kSide);
  ASSERT_EQ(rows.size(), expected.size());
  // The matrices are stored in half precision.
  EXPECT_GT(cosine(rows, expected), 0.99999);
  // In bfloat16 the embeddings point the same way.
  config.precision = encoder::Precision::kBfloat16;
  std::vector<float> short_rows(rows.size());
  encoder::make_encoder(config, 0)->encode({count, kSide, kSide, batch.pixels}, short_rows);
  EXPECT_GT(cosine(rows, short_rows), 0.999);
  // What the repository carries stays small.
  EXPECT_LE(std::filesystem::file_size(folder.path() / "mini.safetensors"), 1500000U);
}

TEST(MiniTrainer, RefusesAStateThatIsNotOne) {
  const test::ScratchFolder folder;
  MiniTrainer trainer({});
  run(trainer, 0, 1);
  trainer.export_weights(folder.path() / "weights", {});
  EXPECT_THROW(trainer.load_state(folder.path() / "weights"), base::Error);
  std::ofstream(folder.path() / "text") << "no state";
  EXPECT_THROW(trainer.load_state(folder.path() / "text"), base::Error);
}

TEST(MiniTrainer, GoesOnAGpuAsOnTheCpu) {
  const auto run = [](encoder::DeviceKind device) {
    MiniTrainingConfig config;
    config.device = device;
    MiniTrainer trainer(config);
    std::vector<double> losses;
    for (std::uint64_t step = 0; step < 3; ++step) {
      auto batch = waves_and_noise(step);
      trainer.step(*trainer.stage(std::move(batch.pixels), kSide, batch.crops), 1.0);
      losses.push_back(trainer.take_losses().ranking);
    }
    return losses;
  };
  std::vector<double> gpu;
  try {
    gpu = run(encoder::DeviceKind::kCuda);
  } catch (const base::Error& error) {
    ASSERT_EQ(error.code(), base::ExitCode::kDevice) << error.what();
    GTEST_SKIP() << error.what();
  }
  const auto cpu = run(encoder::DeviceKind::kCpu);
  for (std::size_t i = 0; i < cpu.size(); ++i) EXPECT_NEAR(gpu[i], cpu[i], 0.02 * cpu[i]) << i;
}

}  // namespace
}  // namespace quasar::train_mini
