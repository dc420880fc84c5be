#include <fmt/format.h>

#include "base/atomic_file.h"
#include "engine/engine.h"
#include "evaluation/agreement_text.h"
#include "pipeline/distortion_agreement.h"
#include "pipeline/embed_step.h"

namespace quasar::jobs {

void evaluate_distortions(const EvaluateOptions& options, const comm::Communicator& comm) {
  auto job = options.distortions;
  if (options.seed) job.seed = *options.seed;
  const auto config = load_config(options, comm);
  const auto encoder = pipeline::open_encoder(config, comm);
  const auto report = pipeline::measure_agreement(config, job, *encoder, comm);
  comm.on_root([&] {
    if (!options.json.empty()) base::write_file_atomically(options.json, evaluation::agreement_json(report));
    if (!options.csv.empty()) base::write_file_atomically(options.csv, evaluation::agreement_csv(report));
    fmt::print("{}", evaluation::agreement_text(report));
  });
}

}  // namespace quasar::jobs
