// Owns what the subcommands share: how each registers with the command line, and what it is handed when
// chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/errors.h"
#include "base/status.h"
#include "comm/communicator.h"
#include "comm/dispatcher.h"
#include "dataset/retry.h"
#include "pipeline/run_config.h"

namespace quasar::jobs {

/// Options of every subcommand that works on a configuration.
struct ConfigOptions {
  std::filesystem::path config;
  std::vector<std::string> overrides;
};

/// Adds CONFIG and --set to a subcommand.
inline void add_config_options(CLI::App& command, ConfigOptions& options) {
  command.add_option("CONFIG", options.config, "Configuration file (YAML); configs/ holds commented presets")
      ->required();
  command
      .add_option("--set", options.overrides,
                  "Override a key: --set decode.mode=fast; may be given several times")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

/// Adds --retry-failed to a subcommand.
inline void add_retry_option(CLI::App& command, std::string& retry) {
  // A flag with a value, as an option with an optional one would take CONFIG for it.
  command.add_flag(
      "--retry-failed{all}", retry,
      "Redo the rows that failed, or with --retry-failed=STATUS (decode_failed, missing, crashed, ...) "
      "those of one kind; rows that are ok stay as they are");
}

/// What add_retry_option has got. Throws Error(kUsage) for an unknown status.
inline std::optional<dataset::RetryFailed> parse_retry(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "all") return dataset::RetryFailed{};
  const auto status = base::status_from_name(text);
  if (status && *status != base::RowStatus::kOk) return dataset::RetryFailed{status};
  std::string names;
  for (const auto known : base::all_statuses()) {
    if (known != base::RowStatus::kOk)
      names += (names.empty() ? "" : ", ") + std::string(base::status_name(known));
  }
  base::fail(base::ExitCode::kUsage,
             "--retry-failed: no row fails with \"" + text + "\"; there are " + names);
}

/// The configuration, read on every rank; what it says of silence holds from here on. Collective. As
/// pipeline::load_run_config().
inline pipeline::RunConfig load_config(const ConfigOptions& options, const comm::Communicator& comm,
                                       corpus::SourcePresence corpus = corpus::SourcePresence::kRequired,
                                       pipeline::AnchorNeed need = pipeline::AnchorNeed::kNone) {
  pipeline::RunConfig config;
  comm.together([&] { config = pipeline::load_run_config(options.config, options.overrides, corpus, need); });
  comm.dispatcher().set_limit(config.embed.stall_timeout_s);
  return config;
}

/// The work of a chosen subcommand, run on every rank.
using Work = std::function<void(const comm::Communicator&)>;

/// Each adds one subcommand, which stores its work in `chosen` when it is on the command line.
void register_run(CLI::App& app, Work& chosen);
void register_steps(CLI::App& app, Work& chosen);
void register_plan(CLI::App& app, Work& chosen);
void register_verify(CLI::App& app, Work& chosen);
void register_status(CLI::App& app, Work& chosen);
void register_inspect(CLI::App& app, Work& chosen);
void register_scenes(CLI::App& app, Work& chosen);
void register_agreement(CLI::App& app, Work& chosen);

}  // namespace quasar::jobs
