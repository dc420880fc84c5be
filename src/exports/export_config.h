// Owns the settings of exports: the `export` section of a configuration, an entry for each export.
//
//   export:
//     training: {format: webdataset, folder: out/tars, rows: 10000, order: shuffle, seed: 7}
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/config_node.h"

namespace quasar::exports {

enum class Format {
  kWebDataset,    ///< Tars of samples.
  kImageFolder,   ///< Folders of pictures and metadata.jsonl, as Hugging Face's imagefolder.
  kParquet,       ///< The manifest as Parquet.
  kNpy,           ///< Embeddings as .npy with Parquet beside, as clip-retrieval's.
  kDataCompUids,  ///< Sorted 128-bit ids as .npy, as DataComp's resharder takes.
  kUrls,          ///< A text file with a URL a line.
};

enum class Order {
  kScore,    ///< As ranked, the best first.
  kShuffle,  ///< At random by a seed.
  kPlan,     ///< As embedded; for what lies in embedding shards.
};

enum class Grouping {
  kAsTheyCome,   ///< Pictures of all formats in one shard.
  kHomogeneous,  ///< Of one format in each; shards of a format follow each other.
};

enum class Extension {
  kContent,  ///< By what the bytes are: jpg, png, webp, ...
  kJpg,      ///< jpg, whatever they are, for loaders that know no other.
  kKept,     ///< As it was, of all files of a sample.
};

enum class Members {
  kAll,    ///< All that is named as the picture is.
  kImage,  ///< The picture alone.
};

struct ExportConfig {
  std::string name;
  Format format = Format::kWebDataset;
  std::filesystem::path folder;

  Order order = Order::kScore;
  std::uint64_t seed = 1;
  Grouping grouping = Grouping::kAsTheyCome;
  std::uint64_t rows = 10'000;           ///< Of a shard, at most.
  std::uint64_t bytes = 3'000'000'000U;  ///< Of the pictures of a shard, at most; a larger one is alone.
  Extension extension = Extension::kContent;
  Members members = Members::kAll;
  bool with_parquet = false;  ///< WebDataset: beside each tar img2dataset's table of it.
  bool with_dropped = true;   ///< Parquet: rows that are not kept, too.
  bool half = true;           ///< Npy: float16.
  /// DataComp uids, URLs: field of the corpus that holds them. No uid field: the xxh128 of the picture.
  std::string field;

  /// What decides on the bytes that are written, a line "KEY: VALUE" each; the folder is not among it.
  std::string settings;
};

/// Reads the section; null gives none. Throws Error(kConfig) with file, line and key, also for two exports
/// into one folder.
std::vector<ExportConfig> export_configs_from_yaml(const base::ConfigNode& node);

}  // namespace quasar::exports
