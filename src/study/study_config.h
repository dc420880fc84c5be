// Owns the configuration of a study: a grid whose every cell is the configuration of a run, and how its
// result is laid out.
//
//   study: studies/encoders              # everything is written below it
//   decode: {mode: exact}                # sections of a run's configuration that all cells share
//   axes:                                # a cell for every combination of one level of each
//     encoder:
//       mini: {encoder: {architecture: mini}}
//     anchors:
//       photos: {anchors: {corpus: {directory: good}, distortions: {...}, recipe: {...}}}
//     benchmark:
//       koniq: {corpus: {benchmark: koniq10k, root: data/koniq10k}}
//       copies: {corpus: {directory: photos}, rated_copies: {levels: [1, 3, 5]}}
//     share: {key: anchors.recipe.ratio, values: [0.1, 0.5, 1]}
//   exclude: [{anchors: prompts, share: ["0.1", "0.5"]}]
//   draws: 5                             # each cell, with so many seeds of the choice of anchors
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/run_config.h"

namespace quasar::study {

struct Axis {
  std::string name;
  std::vector<std::string> levels;
};

/// One point of the grid.
struct Cell {
  std::vector<std::size_t> levels;  ///< One of each axis.
  pipeline::RunConfig config;       ///< With one anchor set; its run directory is the study's folder.
  /// Key `rated_copies`: the pictures are pristine, and scored with distorted copies of theirs, whose labels
  /// are what people think of such copies (distort::DistortionInfo::human_score; 5 for a pristine one).
  std::optional<dataset::DistortionRecipe> rated_copies;
  std::string embedder;     ///< Equal for cells whose embeddings are made in the same way.
  std::string corpus;       ///< Equal for cells over the same pictures.
  std::string anchor_data;  ///< Equal for cells over the same anchor data; empty without any.

  const pipeline::AnchorSource& anchors() const { return config.anchors.front(); }
};

struct StudyConfig {
  std::string name;  ///< Of the configuration's file, for headings.
  std::filesystem::path folder;
  std::vector<Axis> axes;
  std::vector<Cell> cells;  ///< In the order of the axes, the last one fastest.
  std::uint64_t excluded = 0;
  int draws = 1;
  std::string rows;             ///< Axis whose levels are the rows of the table.
  std::string columns;          ///< Axis whose levels are its columns.
  int sheet = 0;                ///< Pictures of each of the top, median and low sheets; 0: none.
  bool projections = false;     ///< Draw the anchors' embeddings.
  std::uint64_t resamples = 0;  ///< Of bootstrap intervals; 0: those by formula.
  std::int64_t memory = 0;      ///< Bytes that a rank keeps of embeddings.
  double stall_timeout_s = 0;
  std::string effective;  ///< The whole configuration, overrides applied.

  std::size_t axis(const std::string& name) const;
};

/// "mini, koniq": the levels of a cell.
std::string describe(const StudyConfig& config, const Cell& cell);

/// Reads the grid and every cell of it. Throws Error(kConfig), naming the cell, and Error(kInput) for files
/// that are not there.
StudyConfig load_study(const std::filesystem::path& path, const std::vector<std::string>& overrides);

}  // namespace quasar::study
