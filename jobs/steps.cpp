
#include <cstdio>

#include "job.h"
#include "pipeline/anchor_step.h"
#include "pipeline/embed_step.h"
#include "pipeline/memory_plan.h"
#include "pipeline/rank_step.h"
#include "pipeline/score_step.h"

namespace quasar::jobs {
namespace {

using Step = void (*)(const pipeline::RunConfig&, const comm::Communicator&);

/// A step that works with anchors and with what is stored, and needs no image of the corpus.
void add(CLI::App& app, Work& chosen, const char* name, const char* description, Step step) {
  auto options = std::make_shared<ConfigOptions>();
  auto* command = app.add_subcommand(name, description);
  add_config_options(*command, *options);
  command->callback([options, step, &chosen] {
    chosen = [options, step](const comm::Communicator& comm) {
      const auto config =
          load_config(*options, comm, corpus::SourcePresence::kAny, pipeline::AnchorNeed::kSome);
      step(config, comm);
      pipeline::report_peak_memory(config, comm);
    };
  });
}

struct EmbedOptions : ConfigOptions {
  std::string part;
  std::string retry;
};

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

void register_embed(CLI::App& app, Work& chosen) {
  auto options = std::make_shared<EmbedOptions>();
  auto* command = app.add_subcommand("embed", "Embed every image of the corpus that has no embedding yet");
  add_config_options(*command, *options);
  add_retry_option(*command, options->retry);
  command
      ->add_option("--part", options->part,
                   "Embed only the shards whose number leaves remainder I when divided by N, beside other "
                   "jobs on the same run directory (a job array); freeze the plan before with \"quasar plan "
                   "--freeze\", so that the corpus is listed once")
      ->type_name("I/N");
  command->callback([options, &chosen] {
    chosen = [options](const comm::Communicator& comm) {
      const auto part = options->part.empty() ? dataset::Part{} : parse_part(options->part);
      const auto retry = parse_retry(options->retry);
      const auto config = load_config(*options, comm);
      const auto draft = pipeline::draft_run(
          config, comm,
          options->part.empty() ? pipeline::FrozenPlan::kExtended : pipeline::FrozenPlan::kAsItIs);
      const auto encoder = pipeline::open_encoder(config, comm);
      pipeline::report_memory(pipeline::check_memory(config, draft, *encoder, comm), comm);
      const auto corpus = pipeline::freeze_run(config, draft, pipeline::RunStart::kEmbedding, comm);
      pipeline::embed_step(config, corpus, *encoder, comm, part, retry);
      pipeline::report_peak_memory(config, comm);
    };
  });
}

}  // namespace

void register_steps(CLI::App& app, Work& chosen) {
  register_embed(app, chosen);
  add(app, chosen, "anchors", "Build the configured anchor sets from their anchor data",
      [](const pipeline::RunConfig& config, const comm::Communicator& comm) {
        const auto encoder = pipeline::open_encoder(config, comm);
        pipeline::anchor_step(config, encoder.get(), comm);
      });
  add(app, chosen, "score", "Score the stored embeddings against the anchors; touches no image of the corpus",
      [](const pipeline::RunConfig& config, const comm::Communicator& comm) {
        const auto corpus = pipeline::open_stored_run(config, comm);
        // Anchor files and embeddings carry the encoder's fingerprint; its weights may be gone.
        const auto encoder =
            pipeline::builds_anchors(config) ? pipeline::open_encoder(config, comm) : nullptr;
        pipeline::score_step(config, corpus, dataset::WrittenBy::kEarlierJob,
                             pipeline::anchor_step(config, encoder.get(), comm), comm);
      });
  add(app, chosen, "rank", "Rank the stored scores and write manifests, report and summary",
      [](const pipeline::RunConfig& config, const comm::Communicator& comm) {
        const auto corpus = pipeline::open_stored_run(config, comm);
        pipeline::rank_step(config, corpus, dataset::WrittenBy::kEarlierJob, comm);
      });
}

}  // namespace quasar::jobs
