#include "pipeline/against_check.h"

#include "base/file_status.h"
#include "corpus/plan.h"
#include "dataset/shard_encoder.h"
#include "store/embedding_shard.h"
#include "store/run_layout.h"

namespace quasar::pipeline {

void check_against(const RunConfig& config, const encoder::Encoder& encoder, const comm::Communicator& comm) {
  const auto& rule = config.curation.duplicates;
  if (!rule.cosine) return;
  comm.on_root([&] {
    const auto ours = dataset::encoder_identity(encoder, config.decode);
    for (const auto& path : rule.against) {
      if (!std::filesystem::is_directory(base::file_status(path))) continue;
      const auto plan = corpus::Plan::load(path);
      if (plan.shards().empty()) continue;
      const auto shard = store::DataSetLayout(path).shard(plan.shards().front().id);
      const store::EmbeddingShardReader reader(shard, store::Integrity::kRows);
      curation::check_outside_encoder(shard, reader.header().encoder, ours);
    }
  });
}

}  // namespace quasar::pipeline
