#include <fmt/format.h>

#include <cstdio>

#include "job.h"
#include "pipeline/explain.h"
#include "pipeline/report_step.h"
#include "pipeline/run_start.h"

namespace quasar::jobs {
namespace {

struct ExplainOptions : ConfigOptions {
  std::string id;
  bool json = false;
};

void explain(const ExplainOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto corpus = pipeline::load_run(config, comm);
  comm.on_root([&] {
    const auto json = pipeline::explanation_json(config, corpus, options.id);
    fmt::print("{}", options.json ? json : pipeline::explanation_text(json));
  });
}

void report(const ConfigOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto corpus = pipeline::load_run(config, comm);
  pipeline::report_step(config, corpus, comm);
}

void register_report(CLI::App& app, Work& chosen) {
  auto options = std::make_shared<ConfigOptions>();
  options->corpus = corpus::SourcePresence::kAny;
  options->anchors = pipeline::AnchorNeed::kSome;
  auto* command = app.add_subcommand(
      "report", "Make RUN/report.html again from the manifest (jsonl) and summary, without ranking");
  add_config_options(*command, *options);
  command->get_option("CONFIG")->description("Configuration, or directory, of a run that is ranked");
  command->callback([options, &chosen] {
    accept_run_directory(*options);
    chosen = work_of(Job<ConfigOptions>(report), options);
  });
}

void register_explain_one(CLI::App& app, Work& chosen) {
  auto options = std::make_shared<ExplainOptions>();
  options->corpus = corpus::SourcePresence::kAny;
  options->anchors = pipeline::AnchorNeed::kSome;
  auto* command = app.add_subcommand(
      "explain", "Say all that a ranked run knows of one picture, and why it is kept or dropped");
  add_config_options(*command, *options);
  command->get_option("CONFIG")->description("Configuration, or directory, of a run that is ranked");
  command->add_option("ID", options->id, "Of the picture, as the manifest has it")->required();
  command->add_flag("--json", options->json, "As JSON");
  command->callback([options, &chosen] {
    accept_run_directory(*options);
    chosen = work_of(Job<ExplainOptions>(explain), options);
  });
}

}  // namespace

void register_explain(CLI::App& app, const EngineJobs& /*engine*/, Work& chosen) {
  register_report(app, chosen);
  register_explain_one(app, chosen);
}

}  // namespace quasar::jobs
