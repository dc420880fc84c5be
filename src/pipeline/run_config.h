// Owns the configuration of a whole run: the sections of the modules, put together.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "anchors/anchor_recipe.h"
#include "base/config_node.h"
#include "base/cpu_capability.h"
#include "corpus/corpus_config.h"
#include "curation/curation_config.h"
#include "dataset/distorted_items.h"
#include "dataset/embed_config.h"
#include "encoder/encoder_config.h"
#include "exports/export_config.h"
#include "image/decode_config.h"
#include "store/run_identity.h"
#include "store/run_layout.h"

namespace quasar::pipeline {

/// One set of anchors: read from a file, built from labelled or pristine pictures, from prompts or published
/// centroids.
struct AnchorSource {
  std::string name;                            ///< Column name in the manifest.
  std::filesystem::path file;                  ///< An anchor file; empty when the set is to be built.
  std::optional<corpus::CorpusConfig> corpus;  ///< Anchor data.
  std::optional<dataset::DistortionRecipe> distortions;  ///< Render degraded copies of the corpus.
  anchors::AnchorRecipe recipe;
  std::vector<std::string> good_prompts;  ///< Text anchors: as many as bad ones, paired in order.
  std::vector<std::string> bad_prompts;
  std::vector<std::filesystem::path> good_vectors;  ///< Published centroids (store/vector_file.h).
  std::vector<std::filesystem::path> bad_vectors;
  std::string recipe_text;  ///< The set's whole section as YAML, kept in the anchor file.

  bool from_prompts() const { return !good_prompts.empty(); }
  bool from_vectors() const { return !good_vectors.empty(); }
};

struct RunConfig {
  store::RunLayout run = store::RunLayout({});  ///< Run directory: everything is written below it.
  std::filesystem::path shared;  ///< Key `embeddings`: where runs share embedded shards; empty: nowhere.
  corpus::CorpusConfig corpus;
  image::DecodeConfig decode;
  encoder::EncoderConfig encoder;
  dataset::EmbedConfig embed;
  base::CpuCapability cpu_capability = base::CpuCapability::kNative;  ///< What the program is held to.
  bool half = false;                                                  ///< Store embeddings as float16.
  std::vector<AnchorSource> anchors;
  curation::CurationConfig curation;
  std::vector<exports::ExportConfig> exports;  ///< Section `export`.
  /// Key `memory`: limit for each rank's resident memory in bytes; 0: none. Unless curation.memory is given,
  /// ranking takes half of it.
  std::int64_t memory = 0;
  bool halved_for_ranking = false;  ///< curation.memory was taken from `memory`.
  /// Value of every key that changes embeddings, by key: what a run directory is tied to.
  store::RunIdentity identity;
  std::string effective;  ///< The whole configuration, overrides applied, as YAML.
};

/// Section `distortions`: kinds, levels, seed. Throws Error(kConfig).
dataset::DistortionRecipe distortion_recipe_from_yaml(const base::ConfigNode& node);

/// Whether the work needs an anchor set.
enum class AnchorNeed {
  kNone,  ///< Embedding alone; there may be sets.
  kSome,  ///< At least one has to be configured.
};

/// Reads and validates everything before any work; `corpus` says whether the corpus and the encoder's files
/// have to be there. Throws Error(kConfig) or Error(kInput). `name` stands for the file in messages.
RunConfig load_run_config(const base::ConfigNode& root, const std::string& name,
                          corpus::SourcePresence corpus = corpus::SourcePresence::kRequired,
                          AnchorNeed need = AnchorNeed::kNone);
/// The same of a file.
RunConfig load_run_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                          corpus::SourcePresence corpus = corpus::SourcePresence::kRequired,
                          AnchorNeed need = AnchorNeed::kNone);

}  // namespace quasar::pipeline
