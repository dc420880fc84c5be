// Owns the embedded data set: images in the order of a plan, and the shards that hold their embeddings. The
// corpus of a run, anchor data and distorted copies are all of this type, and are made, continued, checked
// and read by the same code.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "corpus/plan.h"
#include "store/embedding_shard.h"
#include "store/run_layout.h"

namespace quasar::dataset {

/// Who has written what is about to be read.
enum class WrittenBy {
  kEarlierJob,  ///< It may as well be missing.
  kThisJob,     ///< It is there; a host that does not see it yet waits.
};

/// A cheap value: copies share the plan. Reading is thread-safe.
class DataSet {
 public:
  DataSet(store::DataSetLayout files, corpus::Plan plan) : files_(std::move(files)), plan_(std::move(plan)) {}

  const store::DataSetLayout& files() const { return files_; }
  const corpus::Plan& plan() const { return plan_; }
  std::filesystem::path path(const corpus::Shard& shard) const { return files_.shard(shard.id); }

  /// Whether the shard's file is there, undamaged as far as `integrity` looks, and made of the shard's items.
  /// Throws Error(kInput) for one that may not be read.
  bool has(const corpus::Shard& shard, store::Integrity integrity = store::Integrity::kChecked) const;

  /// The shard's file. Throws Error(kInput), naming it, when it is missing, damaged, or not of these items.
  store::EmbeddingShardReader open(const corpus::Shard& shard, WrittenBy written = WrittenBy::kEarlierJob,
                                   store::Integrity integrity = store::Integrity::kChecked) const;

  /// Calls `take` with every row in the order of the plan and its number there; vectors are not read. Throws
  /// as open().
  void for_each_row(WrittenBy written,
                    const std::function<void(std::int64_t number, const store::RowRecord& row)>& take) const;

  /// The shard that holds the row of that number in the plan.
  const corpus::Shard& shard_of(std::int64_t number) const;

  /// The shards that fall to one of `ranks` ranks, every ranks-th of them.
  std::vector<corpus::Shard> shards_of_rank(int rank, int ranks) const;

 private:
  store::DataSetLayout files_;
  corpus::Plan plan_;
};

/// The name of a folder that is found by what it stands for: the beginning of the SHA-256 of that, as text.
std::string content_address(const std::string& text);

/// The plan in `folder`, on every rank as root reads it. Collective. Throws as Plan::load() does.
corpus::Plan load_plan(const std::filesystem::path& folder, const comm::Communicator& comm);

/// A data set of a run beside its corpus, as it is asked for.
struct DataSetRequest {
  const store::RunLayout& run;
  std::string settings;  ///< All that embeddings depend on beside the pictures, as text.
  std::optional<store::DataSetLayout> former;  ///< Where an earlier version has kept it, if it did.
  std::function<corpus::Plan()> items;         ///< Called on root.
};

/// Begins the data set in RUN/data, or finds it: its folder is named after the items and the settings, so
/// that whoever asks for the same pictures, embedded the same way, meets there. What an earlier version has
/// left in `former` of the same items is moved there. Collective. Throws what `items` throws.
DataSet open_data_set(const DataSetRequest& request, const comm::Communicator& comm);

}  // namespace quasar::dataset
