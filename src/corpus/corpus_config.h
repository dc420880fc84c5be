// Owns the description of where images come from, as the section "corpus" of a configuration states it.
//
//   corpus: {directory: photos}
//   corpus: {list: paths.txt, root: /data}
//   corpus: {table: koniq.csv, path_column: image_name, label_column: MOS, root: images}
//   corpus: {tar: "scrape/{00000..00999}.tar", fields: [url, caption]}
//   corpus: {tar: "pairs/*.tar", image_extensions: [input.jpg], caption: outputs.txt, fields: [caption]}
//   corpus: {benchmark: koniq10k, root: /data/koniq10k, split: test}
//   corpus: {sources: [{directory: a, name: a}, {tar: "b/*.tar"}], shard_size: 4096}
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/config_node.h"

namespace quasar::corpus {

enum class SourceKind {
  kDirectory,  ///< Every image below a folder.
  kList,       ///< A text file with one path per line.
  kTable,      ///< CSV, TSV, JSON lines or Parquet with a column of paths.
  kTar,        ///< WebDataset: tars whose members belong together by key.
  kBenchmark,  ///< A published data set, as its authors ship it.
  kItems,      ///< Items made by the program itself; never from a configuration.
};

/// What rows of a table are that name the same image.
enum class Repeated {
  kJoin,   ///< One image: of each field the different values, a line each; else the first that is given.
  kFirst,  ///< One image with the first row's values.
  kRows,   ///< An image each: the second has the id "ID@2".
};

/// Suffixes taken for images where a name has to decide (folders, tars); decoding goes by content.
const std::vector<std::string>& default_suffixes();

/// One source. Paths are absolute after corpus_config_from_yaml.
struct SourceConfig {
  SourceKind kind = SourceKind::kDirectory;
  std::filesystem::path path;         ///< The folder, list or table, or a benchmark's root; unused for tars.
  std::vector<std::string> patterns;  ///< Tars: braces {0..9}, {a,b} and globs *, ?, [..].
  std::string name;                   ///< Put before the ids ("NAME/id"), so that several sources stay apart.
  std::string path_column = "path";   ///< Tables: column with the paths.
  std::string id_column;              ///< Tables: column with the ids; empty: the path is the id.
  std::string label_column;         ///< Tables and tars (a key of the .json, or "cls"): the label; or empty.
  std::string deviation_column;     ///< Tables and tars: standard deviation of the label; or empty.
  std::string group_column;         ///< Tables and tars: name of the reference image; or empty.
  std::string split_column;         ///< Tables and tars: "train", "test", ...; or empty.
  std::filesystem::path root;       ///< Relative paths of a list or table start here; empty: its folder.
  std::vector<std::string> fields;  ///< Columns, or keys of a tar's .json, passed through to the manifest.
  std::vector<std::string> suffixes = default_suffixes();  ///< Lower case, with the dot (folders, tars).
  bool follow_links = false;  ///< Folders: links to folders are followed, each folder once.
  /// Tars, in lower case: which of a sample's members are images ("jpg", "input.jpg"); empty: by suffix.
  std::vector<std::string> image_extensions;
  /// Tars, likewise: the members whose text is the field "caption"; empty: the .json's, else .caption or
  /// .txt.
  std::vector<std::string> caption_extensions;
  char separator = '\0';                ///< CSV tables; NUL: recognised.
  Repeated repeated = Repeated::kJoin;  ///< Tables.
  std::string benchmark;                ///< Benchmarks: which ("koniq10k").
  std::string split;                    ///< Benchmarks: one split, or "all"; empty: the benchmark's default.
  std::string variant;      ///< Benchmarks that are published in several ways: which; empty: the default.
  bool references = false;  ///< Benchmarks: the reference pictures are rows, too.
};

struct CorpusConfig {
  std::vector<SourceConfig> sources;
  int shard_size = 4096;  ///< Images per shard, at most: what is lost when a rank dies.
};

/// How closely sources are compared with what a plan records of them.
enum class SourceCheck {
  kListing,  ///< As if they were listed again.
  kStamps,   ///< By sizes and times of change of files and folders; as the other where these differ.
};

/// What is asked of the folders, lists, tables and tars of a section.
enum class SourcePresence {
  kRequired,  ///< They have to be there: the section's images are about to be listed or read.
  kAny,       ///< They may be gone: only what is stored of them is used.
};

/// Reads the section. Throws Error(kConfig) "FILE:LINE:COLUMN: KEY: ..." for wrong keys, and for sources that
/// are not there, if that is asked.
CorpusConfig corpus_config_from_yaml(const base::ConfigNode& node,
                                     SourcePresence presence = SourcePresence::kRequired);

/// Whether the source is a benchmark with reference pictures, which `references` makes rows of.
bool has_references(const SourceConfig& source);

/// Canonical text of a source: equal texts mean the same source.
std::string describe(const SourceConfig& source);

}  // namespace quasar::corpus
