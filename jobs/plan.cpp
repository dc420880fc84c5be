#include "job.h"
#include "pipeline/run_start.h"
#include "print_plan.h"

namespace quasar::jobs {
namespace {

struct PlanOptions : ConfigOptions {
  bool freeze = false;
};

void freeze(const ConfigOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto draft = pipeline::draft_run(config, comm, pipeline::FrozenPlan::kListed);
  const auto corpus = pipeline::freeze_run(config, draft, pipeline::RunStart::kLater, comm);
  if (comm.is_root()) print_plan(corpus.plan(), config);
}

}  // namespace

void register_plan(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<PlanOptions>();
  auto* command =
      app.add_subcommand("plan", "Check all that a run would, and say what it would do, without doing it");
  add_config_options(*command, *options);
  command->add_flag("--freeze", options->freeze,
                    "Write the plan into the run directory, for jobs that follow; opens no encoder");
  command->callback([options, engine, &chosen] {
    const Job<ConfigOptions> job = options->freeze ? freeze : engine.plan;
    chosen = work_of<ConfigOptions>(job, options);
  });
}

}  // namespace quasar::jobs
