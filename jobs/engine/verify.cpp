#include "pipeline/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/errors.h"
#include "base/logging.h"
#include "base/progress.h"
#include "engine/engine.h"
#include "pipeline/embed_step.h"

namespace quasar::jobs {
namespace {

constexpr std::size_t kFaultsNamed = 50;

/// Throws Error(kVerification) naming what is wrong.
void report(const pipeline::VerifyResult& result, const comm::Communicator& comm) {
  if (comm.is_root()) {
    base::log_info(
        "{} shards compared with their checksums ({} not embedded yet), {} rows recomputed, largest "
        "difference {:.3g} of the norm",
        result.shards, result.shards_missing, base::with_thousands(result.rows), result.largest_difference);
  }
  if (result.faults.empty()) return;
  std::string text = fmt::format("{} of what is stored is not what it should be:", result.faults.size());
  for (std::size_t i = 0; i < std::min(kFaultsNamed, result.faults.size()); ++i)
    text += "\n  " + result.faults[i];
  if (result.faults.size() > kFaultsNamed) text += "\n  ...";
  text +=
      "\nA damaged shard is embedded anew by the next \"quasar run\"; a changed image needs another run "
      "directory, or its old content back.";
  base::fail(base::ExitCode::kVerification, text);
}

}  // namespace

void verify(const VerifyOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto encoder = pipeline::open_encoder(config, comm);
  report(pipeline::verify(config, options.job, *encoder, comm), comm);
}

}  // namespace quasar::jobs
