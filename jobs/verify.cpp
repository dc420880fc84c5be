#include <cmath>
#include <string>

#include "job.h"

namespace quasar::jobs {
namespace {

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

}  // namespace

void register_verify(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<VerifyOptions>();
  auto* command = app.add_subcommand(
      "verify",
      "Compare stored shards with their checksums, and random rows with what their images give now");
  add_config_options(*command, *options);
  command->add_option("--sample", options->job.sample, "Rows to recompute")
      ->check(check_whole)
      ->capture_default_str();
  command->add_option("--seed", options->job.seed, "Of the choice of rows")
      ->check(check_whole)
      ->capture_default_str();
  command
      ->add_option(
          "--tolerance", options->job.tolerance,
          "Relative difference that counts as equal; 0 (exact) on the kind of processor that embedded, "
          "about 1e-5 on another in float32")
      ->check(check_tolerance)
      ->capture_default_str();
  command->callback([options, engine, &chosen] { chosen = work_of(engine.verify, options); });
}

}  // namespace quasar::jobs
