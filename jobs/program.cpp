#include "program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/activity.h"
#include "base/allocator.h"
#include "base/config_node.h"
#include "base/cpu_capability.h"
#include "base/exit_status.h"
#include "base/logging.h"
#include "base/nearest_word.h"
#include "base/stop_signal.h"
#include "comm/launch_check.h"
#include "help.h"
#include "job.h"
#include "pass/job_result.h"
#include "pass/job_watch.h"
#include "start_engine.h"

namespace {

using quasar::base::ExitCode;

/// What stands below the list of subcommands.
std::string footer() {
  std::string text =
      "Try it on a folder of pictures, with the configuration and the anchors that ship with Quasar:\n"
      "  quasar run configs/folder.yaml --set run=out --set corpus.directory=FOLDER\n\n"
      "Exit status:";
  for (const auto code : quasar::base::all_exit_codes())
    text += fmt::format("\n  {:2}  {}", static_cast<int>(code), quasar::base::exit_meaning(code));
  return text;
}

/// Throws Error(kUsage) for a first word that is no subcommand: CLI11 itself would only say that one is
/// missing.
void check_subcommand(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  const std::string word = argv[1];
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), word) != names.end()) return;
  // What it was until 0.1 was ready.
  if (word == "agreement") {
    quasar::base::fail(
        ExitCode::kUsage,
        "there is no subcommand \"agreement\"; photos under distortions are measured by \"quasar "
        "evaluate CONFIG --distortions FOLDER\"");
  }
  quasar::base::fail(ExitCode::kUsage,
                     fmt::format("there is no subcommand \"{}\"{} There are: {}", word,
                                 quasar::base::did_you_mean(word, names, "."), fmt::join(names, ", ")));
}

/// Runs the work on every rank; prints an error once. Ranks end together: what one of them ends with alone,
/// the watch ends the others with.
int run(const quasar::jobs::Work& work, quasar::pass::JobWatch& watch) {
  const auto world = quasar::comm::Communicator::world();
  using quasar::comm::launch_facts;
  if (const auto mistake = quasar::comm::find_launch_mistake(launch_facts(world.size()))) {
    if (mistake->first) {
      fmt::print(stderr, "quasar: {}\n", mistake->message);
      quasar::pass::write_job_result(static_cast<int>(ExitCode::kUsage));
    }
    return static_cast<int>(ExitCode::kUsage);
  }
  watch.attach(world.dispatcher());
  quasar::base::configure_logging(world.rank(), world.size(), quasar::base::LogLevel::kInfo);
  quasar::comm::Outcome outcome;
  try {
    work(world);
  } catch (const quasar::base::Error& error) {
    outcome = {error.code(), error.what()};
  } catch (const std::filesystem::filesystem_error& error) {
    outcome = {ExitCode::kInput, error.what()};
  } catch (const std::exception& error) {
    outcome = {ExitCode::kInternal, error.what()};
  }
  const quasar::base::Phase phase("end");
  const auto agreed = world.dispatcher().end(outcome);
  if (outcome.code == ExitCode::kOk) outcome = agreed;
  if (outcome.code != ExitCode::kOk && world.is_root()) fmt::print(stderr, "quasar: {}\n", outcome.message);
  watch.detach();
  if (world.is_root()) quasar::pass::write_job_result(static_cast<int>(outcome.code));
  return static_cast<int>(outcome.code);
}

/// What has to be known before MPI starts.
struct EarlySettings {
  double stall_timeout_s = quasar::dataset::EmbedConfig{}.stall_timeout_s;
  quasar::base::CpuCapability cpu_capability = quasar::base::CpuCapability::kNative;
};

/// As the section embed says, on the command line and in the configuration that it names, before either is
/// checked. What is wrong there is said when the configuration is read for good.
EarlySettings early_settings(int argc, const char* const* argv) {
  EarlySettings settings;
  std::vector<std::string> overrides;
  std::filesystem::path config;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.ends_with(".yaml") || word.ends_with(".yml")) config = word;
    for (const std::string_view key : {"embed.stall_timeout=", "embed.cpu_capability="}) {
      const auto place = word.find(key);
      if (place != std::string_view::npos) overrides.emplace_back(word.substr(place));
    }
  }
  try {
    const auto node = config.empty() ? quasar::base::ConfigNode::parse_text("{}", "command line", overrides)
                                     : quasar::base::ConfigNode::parse_file(config, overrides);
    const auto embed = node.child("embed");
    settings.stall_timeout_s = embed.get("stall_timeout", settings.stall_timeout_s);
    settings.cpu_capability =
        embed.get_enum("cpu_capability", settings.cpu_capability, quasar::base::cpu_capabilities());
  } catch (const std::exception&) {
    return settings;
  }
  return settings;
}

/// Ends a program whose command line asks for no work: help, or a mistake, which one rank prints.
int end_early(const CLI::App& app, const std::exception_ptr& reason) {
  const bool first = quasar::comm::Environment::rank() == 0;
  int status = 0;
  try {
    std::rethrow_exception(reason);
  } catch (const CLI::ParseError& error) {
    if ((first ? app.exit(error) : error.get_exit_code()) != 0) status = static_cast<int>(ExitCode::kUsage);
  } catch (const quasar::base::Error& error) {
    if (first) fmt::print(stderr, "quasar: {}\n", error.what());
    status = static_cast<int>(error.code());
  }
  if (first) quasar::pass::write_job_result(status);
  return status;
}

int program(int argc, char** argv, const quasar::jobs::EngineJobs& engine) {
  quasar::base::reuse_freed_memory();
  CLI::App app(
      "Quasar scores and ranks image collections for training-data curation: it embeds every image, compares "
      "it with anchors of good and bad images, and writes a ranked manifest. Run it alone or under "
      "mpirun/srun.");
  app.name("quasar");
  app.failure_message([](const CLI::App* command, const CLI::Error& error) {
    const auto chosen = command->get_subcommands();
    const std::string name = chosen.empty() ? "quasar" : "quasar " + chosen.front()->get_name();
    return fmt::format("{}: {}; \"{} --help\" says what there is\n", name, error.what(), name);
  });
  app.formatter(std::make_shared<quasar::jobs::HelpFormatter>());
  app.require_subcommand(1);
  app.set_version_flag("--version", [&] { return engine.version != nullptr ? engine.version() : ""; });
  quasar::jobs::Work work;
  quasar::jobs::register_run(app, engine, work);
  quasar::jobs::register_steps(app, engine, work);
  quasar::jobs::register_export(app, engine, work);
  quasar::jobs::register_plan(app, engine, work);
  quasar::jobs::register_verify(app, engine, work);
  quasar::jobs::register_status(app, engine, work);
  quasar::jobs::register_inspect(app, engine, work);
  quasar::jobs::register_explain(app, engine, work);
  quasar::jobs::register_evaluate(app, engine, work);
  quasar::jobs::register_study(app, engine, work);
  quasar::jobs::register_hash(app, engine, work);
  quasar::jobs::register_copies(app, engine, work);
  quasar::jobs::register_scenes(app, engine, work);
  // After the subcommands, which would inherit it.
  app.footer(footer());

  const auto settings = early_settings(argc, argv);
  std::exception_ptr early;
  try {
    check_subcommand(app, argc, argv);
    try {
      app.parse(argc, argv);
    } catch (const CLI::CallForVersion&) {
      if (engine.version != nullptr) throw;
    }
  } catch (const CLI::ParseError&) {
    early = std::current_exception();
  } catch (const quasar::base::Error&) {
    early = std::current_exception();
  }

  if (!early) {
    try {
      // Before LibTorch is loaded, where that is still to come.
      if (!work || engine.version != nullptr) quasar::base::hold_to(settings.cpu_capability, argv);
      // Before signals are taken note of, which would be forgotten.
      if (!work) quasar::jobs::become_engine(argv);
    } catch (const quasar::base::Error& error) {
      // It may be of this host alone: the other ranks hear of it as of any failure of the work.
      work = [error](const quasar::comm::Communicator&) { throw error; };
    }
  }
  quasar::base::watch_stop_signals();
  // From before MPI starts to after it has ended.
  quasar::pass::JobWatch watch(settings.stall_timeout_s);
  const quasar::comm::Environment mpi(argc, argv);
  if (early) return end_early(app, early);
  const auto libraries = engine.libraries != nullptr ? engine.libraries() : nullptr;
  return run(work, watch);
}

}  // namespace

int quasar::jobs::run_program(int argc, char** argv, const EngineJobs& engine) {
  const auto report = [](const std::exception& error, ExitCode code) {
    std::fputs("quasar: ", stderr);
    std::fputs(error.what(), stderr);
    std::fputs("\n", stderr);
    quasar::pass::write_job_result(static_cast<int>(code));
    return static_cast<int>(code);
  };
  try {
    return program(argc, argv, engine);
  } catch (const quasar::base::Error& error) {
    return report(error, error.code());
  } catch (const std::filesystem::filesystem_error& error) {
    return report(error, ExitCode::kInput);
  } catch (const std::exception& error) {
    return report(error, ExitCode::kInternal);
  }
}
