#include "program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <stdexcept>

#include "support/test_data.h"

namespace quasar::test {
namespace {

/// The hooked program where the environment asks for a hook, or else the one that ships.
std::string program_for(const std::vector<std::string>& environment) {
  const bool hooked = std::any_of(environment.begin(), environment.end(),
                                  [](const auto& setting) { return setting.starts_with("QUASAR_TEST_"); });
  return hooked ? QUASAR_HOOKED_PROGRAM : QUASAR_PROGRAM;
}

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, int ranks,
                 const std::vector<std::string>& environment, const std::filesystem::path& program) {
  std::vector<std::string> command;
  if (ranks > 0) {
    command = {QUASAR_MPIEXEC, "-n", std::to_string(ranks), "--oversubscribe", "--bind-to", "none"};
  }
  command.push_back(program.empty() ? program_for(environment) : program.string());
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::string pattern = (std::filesystem::temp_directory_path() / "quasar-output-XXXXXX").string();
  const int file = ::mkstemp(pattern.data());
  output_ = pattern;
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("fork failed");
  if (process_ == 0) {
    ::setpgid(0, 0);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    for (const auto& setting : environment) ::putenv(const_cast<char*>(setting.c_str()));
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    std::vector<char*> pointers;
    pointers.reserve(command.size() + 1);
    for (auto& word : command) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    ::execvp(pointers.front(), pointers.data());
    ::_exit(127);
  }
  ::close(file);
}

Program::~Program() {
  if (running()) {
    ::kill(-process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove(output_, ignored);
}

void Program::signal(int number) const {
  ::kill(process_, number);
}

bool Program::running() {
  if (status_ >= 0) return false;
  return !collect(WNOHANG);
}

bool Program::collect(int options) {
  int status = 0;
  rusage used{};
  if (::wait4(process_, &status, options, &used) == 0) return false;
  status_ = exit_status(status);
  peak_bytes_ = static_cast<std::uint64_t>(used.ru_maxrss) << 10U;
  return true;
}

Outcome Program::wait() {
  if (status_ < 0) collect(0);
  return {status_, content(output_), peak_bytes_};
}

std::string Program::output() const {
  return content(output_);
}

Outcome run_quasar(const std::vector<std::string>& arguments, int ranks,
                   const std::vector<std::string>& environment) {
  return Program(arguments, ranks, environment).wait();
}

Outcome render_scenes(const std::filesystem::path& folder, const std::vector<std::string>& options) {
  static const ScratchFolder scratch;
  static std::map<std::vector<std::string>, std::filesystem::path> rendered;
  auto found = rendered.find(options);
  if (found == rendered.end()) {
    const auto path = scratch / std::to_string(rendered.size());
    std::vector<std::string> arguments = {"scenes", path.string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    auto outcome = run_quasar(arguments);
    if (outcome.status != 0) return outcome;
    found = rendered.emplace(options, path).first;
  }
  using std::filesystem::copy_options;
  std::filesystem::create_directories(folder);
  std::filesystem::copy(found->second, folder, copy_options::recursive | copy_options::overwrite_existing);
  return {};
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  // Two files that are both missing would be taken for equal. Processes come and go.
  if (!file && !path.string().starts_with("/proc/")) ADD_FAILURE() << "there is no file " << path;
  try {
    return {std::istreambuf_iterator<char>(file), {}};
  } catch (const std::ios_base::failure&) {
    // A process that has ended while it was looked at.
    if (path.string().starts_with("/proc/")) return "";
    throw;
  }
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

namespace {

/// Numbers of the processes of which `is_one` holds, given the folder that /proc has of each.
std::vector<pid_t> processes(const std::function<bool(const std::filesystem::path&)>& is_one) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= '0' && c <= '9'; }))
      continue;
    if (is_one(entry.path())) found.push_back(static_cast<pid_t>(std::stol(name)));
  }
  return found;
}

}  // namespace

std::vector<pid_t> ranks_of(const std::filesystem::path& config) {
  return processes([&](const auto& process) {
    const auto line = content(process / "cmdline");
    // With the zero behind it: the workers' name begins as the program's.
    return (line.starts_with(std::string(QUASAR_PROGRAM) + '\0') ||
            line.starts_with(std::string(QUASAR_HOOKED_PROGRAM) + '\0')) &&
           line.find(config.string()) != std::string::npos;
  });
}

std::vector<pid_t> decoders_of(pid_t rank) {
  return processes([&](const auto& process) {
    return content(process / "cmdline").find("quasar-decode") != std::string::npos &&
           content(process / "status").find("PPid:\t" + std::to_string(rank) + "\n") != std::string::npos;
  });
}

std::string without_later_columns(const std::string& manifest) {
  const std::regex csv(R"((,format)?,row\n|(,(png|jpeg)?)?,\d+\n)");
  const std::regex json(R"((,"format":("\w+"|""|null))?,"row":\d+\}\n)");
  if (manifest.starts_with("{")) return std::regex_replace(manifest, json, "}\n");
  return std::regex_replace(manifest, csv, "\n");
}

}  // namespace quasar::test
