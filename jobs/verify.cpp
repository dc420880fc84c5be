#include "pipeline/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/errors.h"
#include "base/logging.h"
#include "base/progress.h"
#include "job.h"
#include "pipeline/embed_step.h"

namespace quasar::jobs {
namespace {

constexpr std::size_t kFaultsNamed = 50;

/// Checks of options, empty when all is well. CLI11's own lets NaN pass, and its conversion to an unsigned
/// number wraps a negative one around.
std::string check_whole(const std::string& text) {
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) return "";
  return "\"" + text + "\" is no whole number of 0 or more";
}
std::string check_tolerance(const std::string& text) {
  double value = 0;
  if (CLI::detail::lexical_cast(text, value) && std::isfinite(value) && value >= 0) return "";
  return "\"" + text + "\" is no number of 0 or more";
}

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

void register_verify(CLI::App& app, Work& chosen) {
  auto options = std::make_shared<ConfigOptions>();
  auto job = std::make_shared<pipeline::VerifyJob>();
  auto* command = app.add_subcommand(
      "verify",
      "Compare stored shards with their checksums, and random rows with what their images give now");
  add_config_options(*command, *options);
  command->add_option("--sample", job->sample, "Rows to recompute")
      ->check(check_whole)
      ->capture_default_str();
  command->add_option("--seed", job->seed, "Of the choice of rows")
      ->check(check_whole)
      ->capture_default_str();
  command
      ->add_option(
          "--tolerance", job->tolerance,
          "Relative difference that counts as equal; 0 (exact) on the kind of processor that embedded, "
          "about 1e-5 on another in float32")
      ->check(check_tolerance)
      ->capture_default_str();
  command->callback([options, job, &chosen] {
    chosen = [options, job](const comm::Communicator& comm) {
      const auto config = load_config(*options, comm);
      const auto encoder = pipeline::open_encoder(config, comm);
      report(pipeline::verify(config, *job, *encoder, comm), comm);
    };
  });
}

}  // namespace quasar::jobs
