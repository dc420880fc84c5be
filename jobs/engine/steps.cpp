#include <cstdio>

#include "engine/engine.h"
#include "pipeline/against_check.h"
#include "pipeline/anchor_step.h"
#include "pipeline/embed_step.h"
#include "pipeline/memory_plan.h"
#include "pipeline/peak_memory.h"
#include "pipeline/score_step.h"

namespace quasar::jobs {
namespace {

/// "I/N" with 0 <= I < N.
dataset::Part parse_part(const std::string& text) {
  dataset::Part part;
  int used = 0;
  if (std::sscanf(text.c_str(), "%9d/%9d%n", &part.index, &part.count, &used) != 2 ||
      static_cast<std::size_t>(used) != text.size() || part.index < 0 || part.index >= part.count) {
    base::fail(base::ExitCode::kUsage,
               "--part: \"" + text + "\" is no part I/N with I from 0 to N-1, such as 0/4 or 3/4");
  }
  return part;
}

}  // namespace

void embed(const EmbedOptions& options, const comm::Communicator& comm) {
  const auto part = options.part.empty() ? dataset::Part{} : parse_part(options.part);
  const auto retry = parse_retry(options.retry);
  const auto config = load_config(options, comm);
  const auto draft = pipeline::draft_run(
      config, comm, options.part.empty() ? pipeline::FrozenPlan::kExtended : pipeline::FrozenPlan::kAsItIs);
  const auto encoder = pipeline::open_encoder(config, comm);
  pipeline::check_against(config, *encoder, comm);
  pipeline::report_memory(pipeline::check_memory(config, draft, *encoder, comm), comm);
  const auto corpus = pipeline::freeze_run(config, draft, pipeline::RunStart::kEmbedding, comm);
  pipeline::embed_step(config, corpus, *encoder, comm, part, retry);
  pipeline::report_peak_memory(config, comm);
}

void anchors(const ConfigOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto encoder = pipeline::open_encoder(config, comm);
  pipeline::anchor_step(config, encoder.get(), comm);
  pipeline::report_peak_memory(config, comm);
}

void score(const ConfigOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto corpus = pipeline::open_stored_run(config, comm);
  // Anchor files and embeddings carry the encoder's fingerprint; its weights may be gone.
  const auto encoder = pipeline::builds_anchors(config) ? pipeline::open_encoder(config, comm) : nullptr;
  pipeline::score_step(config, corpus, dataset::WrittenBy::kEarlierJob,
                       pipeline::anchor_step(config, encoder.get(), comm), comm);
  pipeline::report_peak_memory(config, comm);
}

}  // namespace quasar::jobs
