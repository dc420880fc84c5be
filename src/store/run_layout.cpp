#include "store/run_layout.h"

#include <fmt/format.h>

#include "corpus/plan_files.h"

namespace quasar::store {
namespace {

std::string shard_name(int id) {
  return fmt::format("shard-{:06}.h5", id);
}

}  // namespace

std::filesystem::path DataSetLayout::plan() const {
  return corpus::plan_file(folder_);
}

std::filesystem::path DataSetLayout::items() const {
  return corpus::items_file(folder_);
}

std::filesystem::path DataSetLayout::shard(int id) const {
  return embeddings() / shard_name(id);
}

std::string DataSetLayout::metrics_prefix(int part, int parts) {
  return parts > 1 ? fmt::format("part-{}-rank-", part) : "rank-";
}

std::filesystem::path DataSetLayout::metrics_file(int part, int parts, int rank) const {
  return metrics() / fmt::format("{}{}.prom", metrics_prefix(part, parts), rank);
}

std::filesystem::path RunLayout::scores(int shard) const {
  return scores() / shard_name(shard);
}

}  // namespace quasar::store
