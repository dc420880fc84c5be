// Owns the plan of a run: which images there are, in which order, cut into shards. Frozen once made, so that
// every rank and every later start of the job works on the same rows.
//
// RUN/items.jsonl holds one line per image. RUN/plan.json holds the sources, and the shards with their place
// in items.jsonl and the SHA-256 of their lines; its own fingerprint is the SHA-256 of all that. A rank reads
// plan.json and the lines of its own shards, nothing else; a plan of any size is made and read in the memory
// of a few shards and eight bytes per image.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "corpus/corpus_config.h"
#include "corpus/item.h"
#include "corpus/published_set.h"

namespace quasar::corpus {

/// A run of consecutive images of one source. A shard of a tar source is a part of one tar, or several whole
/// tars, so that reading it is sequential.
struct Shard {
  int id = 0;                ///< Its place in Plan::shards().
  int source = 0;            ///< Index of the source, in the order in which sources came to the plan.
  std::uint64_t first = 0;   ///< First item, over the whole corpus.
  std::uint64_t count = 0;   ///< Items.
  std::uint64_t bytes = 0;   ///< Sum of the sizes that are known.
  std::uint64_t offset = 0;  ///< Of its lines in items.jsonl.
  std::uint64_t length = 0;  ///< Of its lines, in bytes.
  std::string sha256;        ///< Of its lines.
};

/// A cheap value: copies share the items' file. Reading is thread-safe.
class Plan {
 public:
  /// Lists every source. Items are spooled to an unnamed file in the folder for temporary files. Throws
  /// Error(kInput) for a source that cannot be read (with file and line in lists and tables) and for an id
  /// that occurs twice.
  static Plan make(const CorpusConfig& config);
  /// A plan of items made by the program itself.
  static Plan from_items(const std::vector<Item>& items, int shard_size);
  /// Reads RUN/plan.json. Throws Error(kInput) when missing, Error(kMismatch) when it is damaged, was edited,
  /// or does not go with items.jsonl.
  static Plan load(const std::filesystem::path& run);
  /// load() in its parts, for ranks that are told what one of them has read: the text of RUN/plan.json, the
  /// plan of such a text, and whether the items in RUN are those of the text, as far as its last shard tells:
  /// a host may see an older file for a while. All throw as load() does; has_items() never for the items.
  static std::string read_text(const std::filesystem::path& run);
  static Plan from_text(const std::string& plan_json, const std::filesystem::path& run);
  static bool has_items(const std::string& plan_json, const std::filesystem::path& run);

  /// Writes items.jsonl, then plan.json; with plan.json in place the plan is whole.
  void save(const std::filesystem::path& run) const;

  /// This plan with the sources of `config` that it does not have yet appended; shards that exist stay as
  /// they are. Equal fingerprints mean that nothing was new. Sources that are gone from disk altogether are
  /// left alone (stored embeddings outlive their images). Throws Error(kMismatch), naming what, when a source
  /// of the plan is not in `config` or has changed as far as `check` tells: other files in a folder, another
  /// content of a list or table, tars more or of another size.
  Plan extend(const CorpusConfig& config, SourceCheck check = SourceCheck::kListing) const;

  /// Looks at the sources of `config` as they are configured, and at no file: they must be those of the plan,
  /// in whatever order. Throws Error(kMismatch) naming one that is not.
  void check_sources(const CorpusConfig& config) const;

  const std::vector<Shard>& shards() const;
  std::uint64_t item_count() const;
  /// Items of the largest shard.
  std::uint64_t largest_shard() const;
  /// SHA-256 over sources, shards and items in order.
  const std::string& fingerprint() const;
  /// What the sources hold and the plan does not, by reason ("hidden files", "files without an image suffix",
  /// ...).
  const std::map<std::string, std::uint64_t>& left_out() const;
  /// What the plan holds in another way than might be thought, by reason ("rows of a table joined into one
  /// image", ...).
  const std::map<std::string, std::uint64_t>& noted() const;

  /// The published data sets among the sources, in their order.
  std::vector<PublishedSet> published_sets() const;
  /// What the labels of all sources mean; nothing where that is not known, or not the same of all.
  std::optional<LabelScale> label_scale() const;

  /// The items of a shard of this plan, in order. Throws Error(kMismatch) when the lines of items.jsonl are
  /// not those that were frozen.
  std::vector<Item> read_items(const Shard& shard) const;
  /// The items of all shards, in order: for plans that fit in memory. Throws as the other.
  std::vector<Item> read_items() const;

  struct State;

 private:
  explicit Plan(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace quasar::corpus
