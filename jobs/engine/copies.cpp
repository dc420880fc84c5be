#include <fmt/format.h>

#include <cstdio>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "comm/cores.h"
#include "engine/engine.h"
#include "pipeline/copy_recall.h"
#include "pipeline/embed_step.h"

namespace quasar::jobs {
namespace {

std::string limit_of(const pipeline::CopySearch& search) {
  return fmt::format("{} {}{:g}", search.name, search.name == "cosine" ? ">= " : "<= ", search.threshold);
}

void print(const pipeline::CopyRecall& recall) {
  fmt::print("{} of {} photos altered; false positives among {} pairs of {} photos\n", recall.altered,
             recall.distinct, base::with_thousands(recall.pairs), recall.distinct);
  for (const auto& [why, count] : recall.left_out) fmt::print("left out, {}: {}\n", why, count);
  if (recall.flat > 0) fmt::print("too flat for a hash: {}\n", recall.flat);
  fmt::print("\n| recall |");
  for (const auto& search : recall.searches) fmt::print(" {} |", limit_of(search));
  fmt::print("\n|---|");
  for (std::size_t i = 0; i < recall.searches.size(); ++i) fmt::print("---:|");
  for (std::size_t group = 0; group < distort::kAlterationGroups; ++group) {
    fmt::print("\n| {} |", distort::describe(static_cast<distort::AlterationGroup>(group)));
    for (const auto& search : recall.searches) fmt::print(" {:.3f} |", search.recall[group]);
  }
  fmt::print("\n| false positives |");
  for (const auto& search : recall.searches) fmt::print(" {} |", search.false_positives);
  fmt::print("\n\n");
  for (const auto& pair : recall.nearest) {
    fmt::print("nearest distinct photos by {}: {:.6g}: {}, {}\n", pair.name, pair.value, pair.first.string(),
               pair.second.string());
  }
}

}  // namespace

void copies(const CopiesOptions& options, const comm::Communicator& comm) {
  auto job = options.job;
  std::unique_ptr<encoder::Encoder> encoder;
  if (!options.encoder.empty()) {
    ConfigOptions file;
    file.config = options.encoder;
    file.overrides = options.overrides;
    file.corpus = corpus::SourcePresence::kAny;
    const auto config = load_config(file, comm);
    if (job.cosines.empty()) job.cosines = {config.curation.duplicates.least_cosine};
    job.quality = config.curation.duplicates.quality;
    encoder = pipeline::open_encoder(config, comm);
  } else if (!job.cosines.empty()) {
    base::fail(base::ExitCode::kUsage, "--cosine needs --encoder CONFIG, whose embeddings are compared");
  }
  const int workers = comm::cores_of_rank(comm);
  comm.on_root([&] {
    const auto recall = pipeline::measure_copy_recall(job, encoder.get(), workers);
    print(recall);
    std::fflush(stdout);
    if (!options.json.empty()) base::write_file_atomically(options.json, pipeline::to_json(recall));
  });
}

}  // namespace quasar::jobs
