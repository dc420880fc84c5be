#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
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
#include "base/version.h"
#include "cluster/library_version.h"
#include "comm/launch_check.h"
#include "encoder/make_encoder.h"
#include "help.h"
#include "image/vips_environment.h"
#include "job.h"
#include "pass/job_result.h"
#include "pass/job_watch.h"
#include "pipeline/run_config.h"
#include "store/inspect.h"

namespace {

using quasar::base::ExitCode;

std::string version_text() {
  return fmt::format("quasar {}\nLibTorch {}{}\nMPI: {}\nHDF5 {}\nFAISS {}\nlibvips {}\nBLAS: {}",
                     quasar::base::version(), quasar::encoder::torch_version(),
                     quasar::encoder::cuda_available() ? " with CUDA" : " without CUDA",
                     quasar::comm::Environment::library_version(), quasar::store::hdf5_version(),
                     quasar::cluster::faiss_version(), quasar::image::vips_library_version(),
                     quasar::base::blas_info().description);
}

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

/// The message for a first word that is no subcommand; empty when there is nothing wrong with it. CLI11
/// itself would only say that a subcommand is missing.
std::string unknown_subcommand(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  const std::string word = argv[1];
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), word) != names.end()) return "";
  const auto near = quasar::base::nearest_word(word, names);
  return fmt::format("quasar: there is no subcommand \"{}\"{} There are: {}\n", word,
                     near ? "; did you mean \"" + *near + "\"?" : ".", fmt::join(names, ", "));
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
  if (world.is_root() && quasar::base::blas_info().reference) {
    quasar::base::log_warning(
        "this process runs on the reference BLAS ({}), some thirty times slower than OpenBLAS; on Debian: "
        "apt-get install libopenblas0-pthread",
        quasar::base::blas_info().description);
  }
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

int program(int argc, char** argv) {
  quasar::base::reuse_freed_memory();
  quasar::base::watch_stop_signals();
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
  app.set_version_flag("--version", version_text);
  quasar::jobs::Work work;
  quasar::jobs::register_run(app, work);
  quasar::jobs::register_steps(app, work);
  quasar::jobs::register_plan(app, work);
  quasar::jobs::register_verify(app, work);
  quasar::jobs::register_status(app, work);
  quasar::jobs::register_inspect(app, work);
  quasar::jobs::register_scenes(app, work);
  quasar::jobs::register_agreement(app, work);
  // After the subcommands, which would inherit it.
  app.footer(footer());

  const auto settings = early_settings(argc, argv);
  quasar::base::hold_to(settings.cpu_capability, argv);
  // From before MPI starts to after it has ended.
  quasar::pass::JobWatch watch(settings.stall_timeout_s);
  std::optional<quasar::comm::Environment> mpi;
  try {
    mpi.emplace(argc, argv);
    if (const auto message = unknown_subcommand(app, argc, argv); !message.empty()) {
      if (quasar::comm::Environment::rank() == 0) {
        fmt::print(stderr, "{}", message);
        quasar::pass::write_job_result(static_cast<int>(ExitCode::kUsage));
      }
      return static_cast<int>(ExitCode::kUsage);
    }
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool first = quasar::comm::Environment::rank() == 0;
    const int status =
        (first ? app.exit(error) : error.get_exit_code()) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
    if (first) quasar::pass::write_job_result(status);
    return status;
  }
  const quasar::image::VipsEnvironment vips;
  return run(work, watch);
}

}  // namespace

int main(int argc, char** argv) {
  const auto report = [](const std::exception& error, ExitCode code) {
    std::fputs("quasar: ", stderr);
    std::fputs(error.what(), stderr);
    std::fputs("\n", stderr);
    quasar::pass::write_job_result(static_cast<int>(code));
    return static_cast<int>(code);
  };
  try {
    return program(argc, argv);
  } catch (const quasar::base::Error& error) {
    return report(error, error.code());
  } catch (const std::filesystem::filesystem_error& error) {
    return report(error, ExitCode::kInput);
  } catch (const std::exception& error) {
    return report(error, ExitCode::kInternal);
  }
}
