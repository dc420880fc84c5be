// Owns the list of the subcommands, what they share, and what is known of each on its command line: the
// options of those whose work only quasar-engine does are read by both programs.
#pragma once

#include <CLI/CLI.hpp>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/errors.h"
#include "base/status.h"
#include "comm/communicator.h"
#include "comm/dispatcher.h"
#include "dataset/part.h"
#include "dataset/retry.h"
#include "pipeline/copy_recall.h"
#include "pipeline/distortion_agreement.h"
#include "pipeline/rated_table.h"
#include "pipeline/run_config.h"
#include "pipeline/verify.h"

namespace quasar::jobs {

/// Options of every subcommand that works on a configuration.
struct ConfigOptions {
  std::filesystem::path config;
  std::vector<std::string> overrides;
  // What has to be there for the subcommand, as pipeline::load_run_config() has it; not on the command line.
  corpus::SourcePresence corpus = corpus::SourcePresence::kRequired;
  pipeline::AnchorNeed anchors = pipeline::AnchorNeed::kNone;
};

struct RunOptions : ConfigOptions {
  std::string retry;
};

struct ExportOptions : ConfigOptions {
  std::vector<std::string> only;
  bool retry = false;
};

struct EmbedOptions : ConfigOptions {
  std::string part;
  std::string retry;
};

struct VerifyOptions : ConfigOptions {
  pipeline::VerifyJob job;
};

/// Of a grid of runs, whose configuration is none of a run.
struct StudyOptions {
  std::filesystem::path config;
  std::vector<std::string> overrides;
  bool plan_only = false;
};

struct EvaluateOptions : ConfigOptions {
  std::filesystem::path table;
  pipeline::AgreementJob distortions;
  std::vector<std::filesystem::path> with;  ///< Further runs of the same pictures.
  pipeline::RatedTableColumns columns;
  int folds = 0;
  std::uint32_t fold_seed = 42;
  std::optional<std::uint64_t> resamples;
  std::optional<std::uint64_t> seed;  ///< Of the resamples, or of the distortions.
  std::filesystem::path json;
  std::filesystem::path csv;
  std::filesystem::path html;
};

struct HashOptions {
  std::vector<std::filesystem::path> files;
  bool poses = false;
};

struct CopiesOptions {
  pipeline::CopyRecallJob job;
  std::filesystem::path encoder;  ///< Configuration; empty: hashes alone.
  std::vector<std::string> overrides;
  std::filesystem::path json;
};

struct SceneOptions {
  std::filesystem::path folder;
  int count = 60;
  int width = 512;
  int height = 384;
  std::uint64_t seed = 1;
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

/// Takes a run directory given as CONFIG for the configuration in it, of the run where it is now.
inline void accept_run_directory(ConfigOptions& options) {
  if (!std::filesystem::is_directory(options.config)) return;
  options.overrides.insert(options.overrides.begin(), "run=" + options.config.string());
  options.config /= "config.yaml";
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
inline pipeline::RunConfig load_config(const ConfigOptions& options, const comm::Communicator& comm) {
  pipeline::RunConfig config;
  comm.together([&] {
    config = pipeline::load_run_config(options.config, options.overrides, options.corpus, options.anchors);
  });
  comm.dispatcher().set_limit(config.embed.stall_timeout_s);
  return config;
}

/// The work of a chosen subcommand, run on every rank. Empty: quasar-engine does it.
using Work = std::function<void(const comm::Communicator&)>;

/// What a subcommand does with its options.
template <typename Options>
using Job = void (*)(const Options&, const comm::Communicator&);

/// The jobs that need what quasar does not load (LibTorch, FAISS, libvips), which quasar-engine has, and
/// quasar has not.
struct EngineJobs {
  Job<RunOptions> run = nullptr;
  Job<EmbedOptions> embed = nullptr;
  Job<ConfigOptions> anchors = nullptr;
  Job<ConfigOptions> score = nullptr;
  Job<ConfigOptions> plan = nullptr;  ///< Without --freeze: all that a run would check.
  Job<VerifyOptions> verify = nullptr;
  Job<StudyOptions> study = nullptr;
  Job<SceneOptions> scenes = nullptr;
  Job<HashOptions> hash = nullptr;
  Job<CopiesOptions> copies = nullptr;
  Job<EvaluateOptions> evaluate = nullptr;  ///< Of a run, whose pictures it shows.
  Job<EvaluateOptions> evaluate_distortions = nullptr;
  std::string (*version)() = nullptr;              ///< Of this program and the libraries it has loaded.
  std::shared_ptr<void> (*libraries)() = nullptr;  ///< What has to live while a job works.
};

/// The failure of a configuration that cannot be read. Empty: it can.
inline Work failure_of(const ConfigOptions& options) {
  try {
    pipeline::load_run_config(options.config, options.overrides, options.corpus, options.anchors);
  } catch (...) {
    return
        [failure = std::current_exception()](const comm::Communicator&) { std::rethrow_exception(failure); };
  }
  return {};
}

/// The work of `job`, if this program has it. What is wrong with a configuration is said without waiting for
/// the libraries of the program that has it.
template <typename Options>
Work work_of(Job<Options> job, std::shared_ptr<Options> options) {
  if constexpr (std::is_base_of_v<ConfigOptions, Options>) {
    if (job == nullptr) return failure_of(*options);
  } else {
    if (job == nullptr) return {};
  }
  return [job, options](const comm::Communicator& comm) { job(*options, comm); };
}

/// Each adds one subcommand or more, which store their work in `chosen` when they are on the command line.
void register_run(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_steps(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_export(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_plan(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_verify(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_status(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_inspect(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_explain(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_evaluate(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_hash(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_copies(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_scenes(CLI::App& app, const EngineJobs& engine, Work& chosen);
void register_study(CLI::App& app, const EngineJobs& engine, Work& chosen);

}  // namespace quasar::jobs
