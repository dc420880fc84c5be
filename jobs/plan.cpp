#include <fmt/format.h>

#include <cstdio>

#include "base/progress.h"
#include "job.h"
#include "pipeline/memory_plan.h"
#include "pipeline/steps.h"

namespace quasar::jobs {

namespace {

struct PlanOptions : ConfigOptions {
  bool freeze = false;
};

void print(const corpus::Plan& plan, const pipeline::RunConfig& config) {
  fmt::print("run directory  {}\nimages         {}\nshards         {}\n", config.run.string(),
             base::with_thousands(plan.item_count()), plan.shards().size());
  for (const auto& [reason, count] : plan.left_out()) {
    fmt::print("left out       {} ({})\n", base::with_thousands(count), reason);
  }
}

}  // namespace

void register_plan(CLI::App& app, Work& chosen) {
  auto options = std::make_shared<PlanOptions>();
  auto* command = app.add_subcommand("plan", "Say what a run would do, without doing it");
  add_config_options(*command, *options);
  command->add_flag("--freeze", options->freeze,
                    "Write the plan into the run directory, for jobs that follow; opens no encoder");
  command->callback([options, &chosen] {
    chosen = [options](const comm::Communicator& comm) {
      const auto config = pipeline::load_run_config(options->config, options->overrides);
      if (options->freeze) {
        const auto plan = pipeline::open_run(config, comm);
        if (comm.is_root()) print(plan, config);
        return;
      }
      const auto encoder = pipeline::open_encoder(config, comm);
      auto demand = pipeline::memory_demand(*encoder, comm);
      if (!comm.is_root()) return;
      const auto plan = corpus::Plan::make(config.corpus);
      const auto row_bytes = static_cast<std::uint64_t>(encoder->dimension()) * (config.half ? 2 : 4);
      print(plan, config);
      fmt::print("encoder        {}, {} dimensions, on {}\nranks          {}\nembeddings     {}\n",
                 encoder->fingerprint().architecture, encoder->dimension(), encoder->device(), comm.size(),
                 base::human_bytes(plan.item_count() * row_bytes));
      demand.largest_shard = pipeline::largest_shard(plan);
      for (const auto& line : pipeline::describe(pipeline::plan_memory(config, demand)))
        fmt::print("memory         {}\n", line);
      for (const auto& anchor : config.anchors) {
        fmt::print("anchors        {}: {}\n", anchor.name,
                   anchor.from_prompts() ? "from prompts"
                   : anchor.file.empty() ? "built from anchor data"
                                         : anchor.file.string());
      }
    };
  });
}

}  // namespace quasar::jobs
