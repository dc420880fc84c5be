#include <fmt/format.h>

#include "base/logging.h"
#include "base/progress.h"
#include "pipeline/steps.h"
#include "pipeline/stop_signal.h"

namespace quasar::pipeline {

curation::CurationResult rank_step(const RunConfig& config, const corpus::Plan& plan,
                                   const comm::Communicator& comm) {
  curation::RankInput input;
  input.embeddings = config.run / "embeddings";
  input.scores = config.run / "scores";
  for (const auto& shard : plan.shards()) {
    input.shards.push_back(shard.id);
    input.shard_first.push_back(shard.first);
  }
  std::vector<std::string> columns;
  for (const auto& anchor : config.anchors) columns.push_back(anchor.name);
  stop_for_test("rank", comm.rank());
  const auto result = curation::write_manifests(config.run, input, columns, config.curation,
                                                software_versions(), comm, stop_requested);
  if (comm.is_root()) {
    base::log_info("{} rows: {} scored, {} failed, {} kept", base::with_thousands(result.rows),
                   base::with_thousands(result.scored), base::with_thousands(result.failed),
                   base::with_thousands(result.kept));
  }
  if (result.scored == 0) {
    std::string failures;
    for (const auto& [status, count] : result.by_status)
      failures += fmt::format(" {} {}", count, base::status_name(status));
    base::fail(base::ExitCode::kNoResult,
               fmt::format("not one of {} images could be scored ({}); {} names each with its reason",
                           result.rows, failures.substr(1), (config.run / "manifest.csv").string()));
  }
  return result;
}

}  // namespace quasar::pipeline
