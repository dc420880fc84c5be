// Owns what the subcommands share: how each registers with the command line, and what it is handed when
// chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.h"

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

/// The work of a chosen subcommand, run on every rank.
using Work = std::function<void(const comm::Communicator&)>;

/// Each adds one subcommand, which stores its work in `chosen` when it is on the command line.
void register_run(CLI::App& app, Work& chosen);
void register_steps(CLI::App& app, Work& chosen);
void register_plan(CLI::App& app, Work& chosen);
void register_verify(CLI::App& app, Work& chosen);
void register_inspect(CLI::App& app, Work& chosen);
void register_scenes(CLI::App& app, Work& chosen);
void register_agreement(CLI::App& app, Work& chosen);

}  // namespace quasar::jobs
