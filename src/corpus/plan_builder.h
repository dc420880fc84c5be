// Owns the making of shards: items are cut into them and their lines written. For the plan alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "corpus/plan_state.h"
#include "corpus/sources/source.h"

namespace quasar::corpus {

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
  void begin_group(std::size_t count) override;
  void describe_set(PublishedSet set) override;

 private:
  void close_shard();
  void check_ids_are_unique();

  Plan::State state_;
  const std::uint64_t shard_size_;
  std::uint64_t limit_;
  bool splits_group_ = false;
  Shard shard_;
  std::unique_ptr<base::Sha256> digest_;
  std::vector<std::uint64_t> id_hashes_;
  std::string prefix_;
};

}  // namespace quasar::corpus
