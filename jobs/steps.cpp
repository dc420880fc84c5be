#include "pipeline/steps.h"
#include "job.h"

namespace quasar::jobs {
namespace {

using Step = void (*)(const pipeline::RunConfig&, const comm::Communicator&);

void add(CLI::App& app, Work& chosen, const char* name, const char* description, Step step) {
  auto options = std::make_shared<ConfigOptions>();
  auto* command = app.add_subcommand(name, description);
  add_config_options(*command, *options);
  command->callback([options, step, &chosen] {
    chosen = [options, step](const comm::Communicator& comm) {
      step(pipeline::load_run_config(options->config, options->overrides), comm);
    };
  });
}

}  // namespace

void register_steps(CLI::App& app, Work& chosen) {
  add(app, chosen, "embed", "Embed every image of the corpus that has no embedding yet",
      [](const pipeline::RunConfig& config, const comm::Communicator& comm) {
        const auto plan = pipeline::open_run(config, comm);
        const auto encoder = pipeline::open_encoder(config, comm);
        pipeline::embed_step(config, plan, *encoder, comm);
      });
  add(app, chosen, "anchors", "Build the configured anchor sets from their anchor data",
      [](const pipeline::RunConfig& config, const comm::Communicator& comm) {
        const auto encoder = pipeline::open_encoder(config, comm);
        pipeline::anchor_step(config, *encoder, comm);
      });
  add(app, chosen, "score", "Score the stored embeddings against the anchors; touches no image of the corpus",
      [](const pipeline::RunConfig& config, const comm::Communicator& comm) {
        const auto plan = pipeline::open_run(config, comm);
        const auto encoder = pipeline::open_encoder(config, comm);
        pipeline::score_step(config, plan, pipeline::anchor_step(config, *encoder, comm), comm);
      });
  add(app, chosen, "rank", "Rank the stored scores and write manifests, report and summary",
      [](const pipeline::RunConfig& config, const comm::Communicator& comm) {
        const auto plan = pipeline::open_run(config, comm);
        pipeline::rank_step(config, plan, comm);
      });
}

}  // namespace quasar::jobs
