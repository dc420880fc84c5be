#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "base/progress.h"
#include "job.h"
#include "pipeline/anchor_check.h"
#include "pipeline/embed_step.h"
#include "pipeline/memory_plan.h"

namespace quasar::jobs {

namespace {

struct PlanOptions : ConfigOptions {
  bool freeze = false;
};

void print(const corpus::Plan& plan, const pipeline::RunConfig& config) {
  fmt::print("run directory  {}\nimages         {}\nshards         {}\n", config.run.root().string(),
             base::with_thousands(plan.item_count()), plan.shards().size());
  for (const auto& [reason, count] : plan.left_out()) {
    fmt::print("left out       {} ({})\n", base::with_thousands(count), reason);
  }
}

void print_anchors(const pipeline::RunConfig& config) {
  for (const auto& anchor : config.anchors) {
    fmt::print("anchors        {}: {}\n", anchor.name,
               anchor.from_prompts() ? "from prompts"
               : anchor.file.empty() ? "built from anchor data"
                                     : anchor.file.string());
  }
  if (config.anchors.empty()) fmt::print("anchors        none: enough for \"quasar embed\" alone\n");
}

}  // namespace

void register_plan(CLI::App& app, Work& chosen) {
  auto options = std::make_shared<PlanOptions>();
  auto* command =
      app.add_subcommand("plan", "Check all that a run would, and say what it would do, without doing it");
  add_config_options(*command, *options);
  command->add_flag("--freeze", options->freeze,
                    "Write the plan into the run directory, for jobs that follow; opens no encoder");
  command->callback([options, &chosen] {
    chosen = [options](const comm::Communicator& comm) {
      const auto config = load_config(*options, comm);
      const auto draft = pipeline::draft_run(config, comm);
      if (options->freeze) {
        const auto corpus = pipeline::freeze_run(config, draft, pipeline::RunStart::kLater, comm);
        if (comm.is_root()) print(corpus.plan(), config);
        return;
      }
      const auto encoder = pipeline::open_encoder(config, comm);
      pipeline::check_anchor_files(config, *encoder, comm);
      const auto memory = pipeline::check_memory(config, draft, *encoder, comm);
      comm.on_root([&] {
        const auto& plan = *draft.plan;
        const auto row_bytes = static_cast<std::uint64_t>(encoder->dimension()) * (config.half ? 2 : 4);
        std::optional<pipeline::DoneAlready> done;
        if (draft.frozen)
          done = pipeline::done_already(config, draft, dataset::encoder_identity(*encoder, config.decode));
        print(plan, config);
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
    };
  });
}

}  // namespace quasar::jobs
