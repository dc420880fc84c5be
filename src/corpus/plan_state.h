// Owns what a plan is made of, and its file plan.json. For the plan alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "corpus/item_store.h"
#include "corpus/plan.h"
#include "corpus/sources/source.h"

namespace quasar::corpus {

/// A source as it was when it came to the plan.
struct PlannedSource {
  std::string description;                         ///< JSON; tells sources apart.
  std::string state;                               ///< JSON; tells whether it has changed.
  std::optional<PublishedSet> set = std::nullopt;  ///< Of a published data set.
};

struct Plan::State {
  int schema = kPlanSchema;  ///< Of its lines: a plan that is extended keeps it.
  std::vector<PlannedSource> sources;
  std::vector<Shard> shards;
  SourceCounts counts;
  std::uint64_t item_count = 0;
  std::string fingerprint;
  std::shared_ptr<ItemStore> items;
  std::int64_t written = 0;  ///< When its plan.json was, in nanoseconds since 1970; 0: not yet.

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

}  // namespace quasar::corpus
