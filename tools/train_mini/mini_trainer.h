// Owns the training of `mini` from pictures and their rendered degradations alone. LibTorch stays in the
// source file.
//
// The objective is the one that is used: each batch is an episode. One half of its photos gives the anchors,
// the good centroid from the pristine crops and the bad one from the degraded crops; the other half's crops
// are scored against them, and every pair of crops whose order is known must come out in that order. Then the
// halves change places.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "encoder/encoder_config.h"

namespace quasar::train_mini {

/// One crop of a batch.
struct TrainingCrop {
  int half = 0;         ///< 0 or 1: which half of the episode its photo is in.
  int kind = 0;         ///< Distortion kind; 0 for a pristine crop.
  double strength = 0;  ///< Orders the crops of one kind and direction; 0 means pristine.
  double damage = 0;    ///< Orders crops of different kinds, where it differs by more than `damage_margin`.
  int direction = 0;    ///< Of its change, where a kind has two whose strengths do not compare.
};

struct MiniTrainingConfig {
  std::uint64_t seed = 1;
  double learning_rate = 2e-3;
  double weight_decay = 0.02;
  double damage_margin = 0.02;
  /// Weights of the parts of the loss; each part is a mean over its own pairs, so that no part drowns in
  /// another.
  double within_kind_weight = 1.0;  ///< Two strengths of one kind, of the same photo or of two.
  double pristine_weight = 0.4;     ///< A pristine crop and a degraded one.
  double cross_kind_weight = 0.15;  ///< Different kinds whose damage differs.
  double absolute_weight = 0.05;    ///< Scores of pristine crops up, of others down.
  /// Share of a centroid that comes from the batch's own anchors; the rest is the mean of batches before, as
  /// a batch holds a few kinds only and in use a centroid is made of all.
  double batch_share = 0.25;
  /// Shares of the pooled features and of the hidden units that a step leaves out, the same ones for all its
  /// crops: no photo is recognised by a few of them, and scores of one step stay comparable.
  double feature_dropout = 0.3;
  double hidden_dropout = 0.2;
  /// The same seed gives the same weights on the same kind of device only.
  encoder::DeviceKind device = encoder::DeviceKind::kCpu;
  bool bfloat16 = false;         ///< Convolve in bfloat16: several times faster where the device has it.
  double average_decay = 0.998;  ///< Of the running average of the weights, which is what is exported.
};

struct TrainingLosses {
  double ranking = 0;  ///< The whole but the absolute term.
  double absolute = 0;
  double pairs_in_order = 0;        ///< Share of the pairs of known order whose scores agree.
  double within_kind_in_order = 0;  ///< The same of the pairs of one kind.
};

/// A batch on its way to the device that trains, with what is known of the order of its crops.
struct StagedBatch;

class MiniTrainer {
 public:
  /// Throws Error(kDevice) when the device is not there.
  explicit MiniTrainer(const MiniTrainingConfig& config);
  ~MiniTrainer();
  MiniTrainer(const MiniTrainer&) = delete;
  MiniTrainer& operator=(const MiniTrainer&) = delete;

  /// Takes pixels [n, side, side, 3], 8-bit sRGB, and what each crop is. Thread-safe, also beside step(), so
  /// that batches can be made ready while another is computed.
  std::shared_ptr<const StagedBatch> stage(std::vector<std::uint8_t> pixels, int side,
                                           std::span<const TrainingCrop> crops) const;

  /// One step of AdamW on a batch. `rate` is the share of the learning rate to use now. On a GPU it returns
  /// before the step is computed.
  void step(const StagedBatch& batch, double rate);

  /// Means over the steps since the last call; waits for them.
  TrainingLosses take_losses();

  /// Embeddings [n, d] of 8-bit pictures [n, height, width, 3] by the averaged weights, in float32.
  std::vector<float> embed(std::span<const std::uint8_t> pixels, int height, int width) const;
  int dimension() const;

  std::int64_t steps_done() const;
  /// Everything that training needs to go on, bit for bit.
  void save_state(const std::filesystem::path& path) const;
  /// Throws Error(kInput) when the file is no such state.
  void load_state(const std::filesystem::path& path);
  /// The averaged weights as a weights file of `mini`.
  void export_weights(const std::filesystem::path& path,
                      const std::map<std::string, std::string>& metadata) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quasar::train_mini
