#include "job.h"
#include "pipeline/export_step.h"
#include "pipeline/peak_memory.h"
#include "pipeline/run_start.h"

namespace quasar::jobs {
namespace {

void export_kept(const ExportOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto corpus = pipeline::open_stored_run(config, comm);
  pipeline::export_step(config, corpus, options.only,
                        options.retry ? exports::RetryLeftOut::kYes : exports::RetryLeftOut::kNo, comm);
  pipeline::report_peak_memory(config, comm);
}

}  // namespace

void register_export(CLI::App& app, const EngineJobs& /*engine*/, Work& chosen) {
  auto options = std::make_shared<ExportOptions>();
  options->corpus = corpus::SourcePresence::kAny;
  auto* command = app.add_subcommand(
      "export",
      "Write what a ranked run keeps as training programs load it (the configuration's section export). "
      "Continues an unfinished export.");
  add_config_options(*command, *options);
  command->add_option("--only", options->only, "Write this export alone; may be given several times")
      ->type_name("NAME")
      ->take_all()
      ->allow_extra_args(false);
  command->add_flag(
      "--retry-left-out", options->retry,
      "Write finished shards again from which rows were left out, as their pictures were gone or "
      "changed");
  const Job<ExportOptions> job = export_kept;
  command->callback([options, job, &chosen] { chosen = work_of(job, options); });
}

}  // namespace quasar::jobs
