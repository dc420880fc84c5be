#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "base/progress.h"
#include "dataset/shard_encoder.h"
#include "engine/engine.h"
#include "pipeline/against_check.h"
#include "pipeline/anchor_check.h"
#include "pipeline/embed_step.h"
#include "pipeline/memory_plan.h"
#include "print_plan.h"

namespace quasar::jobs {
namespace {

void print_anchors(const pipeline::RunConfig& config) {
  for (const auto& anchor : config.anchors) {
    fmt::print("anchors        {}: {}\n", anchor.name,
               anchor.from_prompts()   ? "from prompts"
               : anchor.from_vectors() ? "from vectors"
               : anchor.file.empty()   ? "built from anchor data"
                                       : anchor.file.string());
  }
  if (config.anchors.empty()) fmt::print("anchors        none: enough for \"quasar embed\" alone\n");
}

}  // namespace

void plan(const ConfigOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto draft = pipeline::draft_run(config, comm);
  const auto encoder = pipeline::open_encoder(config, comm);
  pipeline::check_anchor_files(config, *encoder, comm);
  pipeline::check_against(config, *encoder, comm);
  const auto memory = pipeline::check_memory(config, draft, *encoder, comm);
  comm.on_root([&] {
    const auto& plan = *draft.plan;
    const auto row_bytes = static_cast<std::uint64_t>(encoder->dimension()) * (config.half ? 2 : 4);
    std::optional<pipeline::DoneAlready> done;
    if (draft.frozen)
      done = pipeline::done_already(config, draft, dataset::encoder_identity(*encoder, config.decode));
    print_plan(plan, config);
    if (done) {
      fmt::print("done already   {} of {} shards, {} of {} images\n", done->shards, plan.shards().size(),
                 base::with_thousands(done->rows), base::with_thousands(plan.item_count()));
    }
    fmt::print("encoder        {}, {} dimensions, on {}\nranks          {}\nembeddings     {}\n",
               encoder->identity().architecture, encoder->dimension(), encoder->device(), comm.size(),
               base::human_bytes(plan.item_count() * row_bytes));
    for (const auto& line : pipeline::describe(memory)) fmt::print("memory         {}\n", line);
    print_anchors(config);
  });
}

}  // namespace quasar::jobs
