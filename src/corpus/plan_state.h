// Owns what a plan is made of, its file plan.json, and the making of shards. For the plan alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "corpus/item_store.h"
#include "corpus/plan.h"
#include "corpus/source_listing.h"

namespace quasar::corpus {

/// A source as it was when it came to the plan.
struct PlannedSource {
  std::string description;  ///< JSON; tells sources apart.
  std::string state;        ///< JSON; tells whether it has changed.
};

struct Plan::State {
  std::vector<PlannedSource> sources;
  std::vector<Shard> shards;
  LeftOut left_out;
  std::uint64_t item_count = 0;
  std::string fingerprint;
  std::shared_ptr<ItemStore> items;

  std::uint64_t items_bytes() const {
    return shards.empty() ? 0 : shards.back().offset + shards.back().length;
  }
  std::vector<Item> read_items(const Shard& shard) const;
  /// SHA-256 over sources and shards.
  std::string compute_fingerprint() const;

  /// Content of plan.json, and back. `name` stands for the file in messages. Throws Error(kMismatch).
  std::string to_json() const;
  static Plan::State from_json(const std::string& text, const std::string& name);
};

/// Cuts items into shards and writes their lines.
class PlanBuilder : public ItemSink {
 public:
  /// Starts from nothing or, to extend it, from a copy of `before`.
  PlanBuilder(const Plan::State* before, int shard_size);

  void add_source(const SourceConfig& source);
  void add_made_items(const std::vector<Item>& items);
  /// Throws Error(kInput) when an id occurs twice.
  std::shared_ptr<const Plan::State> finish();

  void add(Item item) override;
  void begin_tar(std::size_t count) override;

 private:
  void close_shard();
  void check_ids_are_unique();

  Plan::State state_;
  const std::uint64_t shard_size_;
  std::uint64_t limit_;
  bool splits_tar_ = false;
  Shard shard_;
  std::unique_ptr<base::Sha256> digest_;
  std::vector<std::uint64_t> id_hashes_;
  std::string prefix_;
  IdDigest* folder_ = nullptr;
};

}  // namespace quasar::corpus
