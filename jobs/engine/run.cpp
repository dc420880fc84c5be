#include "base/logging.h"
#include "engine/engine.h"
#include "pipeline/against_check.h"
#include "pipeline/anchor_check.h"
#include "pipeline/anchor_step.h"
#include "pipeline/embed_step.h"
#include "pipeline/memory_plan.h"
#include "pipeline/peak_memory.h"
#include "pipeline/rank_step.h"
#include "pipeline/score_step.h"

namespace quasar::jobs {

void run(const RunOptions& options, const comm::Communicator& comm) {
  const auto retry = parse_retry(options.retry);
  const auto config = load_config(options, comm);
  const auto draft = pipeline::draft_run(config, comm);
  const auto encoder = pipeline::open_encoder(config, comm);
  pipeline::check_anchor_files(config, *encoder, comm);
  pipeline::check_against(config, *encoder, comm);
  pipeline::report_memory(pipeline::check_memory(config, draft, *encoder, comm), comm);
  const auto corpus = pipeline::freeze_run(config, draft, pipeline::RunStart::kEmbedding, comm);
  pipeline::embed_step(config, corpus, *encoder, comm, {}, retry);
  const auto sets = pipeline::anchor_step(config, encoder.get(), comm);
  pipeline::score_step(config, corpus, dataset::WrittenBy::kThisJob, sets, comm);
  pipeline::rank_step(config, corpus, dataset::WrittenBy::kThisJob, comm);
  pipeline::report_peak_memory(config, comm);
  if (comm.is_root()) base::log_info("the ranked manifest is {}", config.run.manifest_csv().string());
}

}  // namespace quasar::jobs
