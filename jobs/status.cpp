#include <fmt/format.h>

#include <cstdio>

#include "job.h"
#include "pipeline/run_status.h"

namespace quasar::jobs {

void register_status(CLI::App& app, const EngineJobs& /*engine*/, Work& chosen) {
  auto run = std::make_shared<std::filesystem::path>();
  auto* command = app.add_subcommand(
      "status",
      "Say how far a run is: shards, failures by kind with examples, rates and waiting times per rank");
  command->add_option("RUN", *run, "Run directory; the run may be at work")->required();
  command->callback([run, &chosen] {
    chosen = [run](const comm::Communicator& comm) {
      comm.on_root(
          [&] { fmt::print("{}", pipeline::describe(pipeline::read_run_status(store::RunLayout(*run)))); });
    };
  });
}

}  // namespace quasar::jobs
