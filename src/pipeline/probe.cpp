#include "pipeline/probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/errors.h"
#include "corpus/shard_reader.h"
#include "image/vips_environment.h"
#include "pipeline/item_decoder.h"
#include "pipeline/stop_signal.h"

extern char** environ;

namespace quasar::pipeline {
namespace {

/// Longest start of the child: libraries may come from a slow file system.
constexpr double kStartSeconds = 120;
constexpr char kReady = 'r';
constexpr char kDone = 'd';

// Both ends are the same program, so that structures travel as their bytes.
static_assert(std::is_trivially_copyable_v<image::DecodeConfig> &&
              std::is_trivially_copyable_v<base::InputSpec>);

template <typename T>
nlohmann::json bytes_of(const T& value) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(&value);
  return nlohmann::json::binary({begin, begin + sizeof value});
}

template <typename T>
T from_bytes(const nlohmann::json& json) {
  T value;
  const auto& bytes = json.get_binary();
  QUASAR_CHECK(bytes.size() == sizeof value);
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// CBOR, as paths need not be valid UTF-8.
std::vector<std::uint8_t> request_of(const std::vector<corpus::Item>& items, std::size_t first,
                                     const image::DecodeConfig& config, const base::InputSpec& spec) {
  nlohmann::json request;
  request["config"] = bytes_of(config);
  request["spec"] = bytes_of(spec);
  request["items"] = nlohmann::json::array();
  for (std::size_t i = first; i < items.size(); ++i) {
    const auto& item = items[i];
    request["items"].push_back({item.id, item.source, item.member, item.offset, item.size, item.fields});
  }
  return nlohmann::json::to_cbor(request);
}

/// Closes a file descriptor, and ends a child that still runs, when it goes out of scope.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

class Child {
 public:
  Child(const std::filesystem::path& program, const std::vector<std::uint8_t>& request) {
    Descriptor input{::memfd_create("quasar-probe", MFD_CLOEXEC)};
    std::size_t written = 0;
    while (input.fd >= 0 && written < request.size()) {
      const auto count = ::write(input.fd, request.data() + written, request.size() - written);
      if (count < 0) fail_start(errno);
      written += static_cast<std::size_t>(count);
    }
    std::array<int, 2> ends{};
    if (input.fd < 0 || ::lseek(input.fd, 0, SEEK_SET) != 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0)
      fail_start(errno);
    answers_.fd = ends[0];
    const Descriptor output{ends[1]};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input.fd, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output.fd, STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    std::string name = "quasar";
    std::string command = kProbeCommand;
    std::array<char*, 3> arguments = {name.data(), command.data(), nullptr};
    const int error = ::posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      process_ = -1;
      fail_start(error);
    }
  }
  ~Child() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      wait();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  enum class Event { kAnswer, kEnd, kTimeout };

  /// The next byte of the child's, its end, or neither within the time.
  Event next(double seconds, char& answer) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (true) {
      if (stop_requested()) base::fail(base::ExitCode::kInterrupted, stopped_message());
      const std::chrono::duration<double, std::milli> left = until - std::chrono::steady_clock::now();
      if (left.count() <= 0) return Event::kTimeout;
      pollfd poll{answers_.fd, POLLIN, 0};
      const int ready = ::poll(&poll, 1, static_cast<int>(std::min(left.count() + 1, 200.0)));
      if (ready <= 0) continue;
      const auto count = ::read(answers_.fd, &answer, 1);
      if (count < 0 && errno == EINTR) continue;
      return count == 1 ? Event::kAnswer : Event::kEnd;
    }
  }

  int wait() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    return status;
  }

 private:
  [[noreturn]] static void fail_start(int error) {
    base::fail(base::ExitCode::kInternal,
               "cannot start a process to try suspected images in: " + base::describe_errno(error));
  }

  pid_t process_ = -1;
  Descriptor answers_;
};

std::string death_message(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("decoding it ended the process with signal {} ({})", WTERMSIG(status),
                       ::strsignal(WTERMSIG(status)));
  }
  return fmt::format("decoding it ended the process with exit status {}", WEXITSTATUS(status));
}

}  // namespace

std::vector<ProbeOutcome> probe_items(const std::vector<corpus::Item>& items,
                                      const image::DecodeConfig& config, const base::InputSpec& spec,
                                      const std::filesystem::path& program) {
  std::vector<ProbeOutcome> outcomes;
  while (outcomes.size() < items.size()) {
    // One child goes through the items until one ends it.
    Child child(program, request_of(items, outcomes.size(), config, spec));
    char answer = 0;
    if (child.next(kStartSeconds, answer) != Child::Event::kAnswer || answer != kReady) {
      base::fail(base::ExitCode::kInternal,
                 "the process to try suspected images in did not start: " + program.string());
    }
    while (outcomes.size() < items.size()) {
      const auto event = child.next(hung_after_seconds(config), answer);
      if (event == Child::Event::kAnswer) {
        outcomes.emplace_back();
        continue;
      }
      if (event == Child::Event::kTimeout) {
        outcomes.push_back({base::RowStatus::kTimedOut, hung_message()});
      } else {
        outcomes.push_back({base::RowStatus::kCrashed, death_message(child.wait())});
      }
      break;
    }
  }
  return outcomes;
}

int answer_probe() {
  // It goes with its parent, and no signal to the job may look like a crash of the decoder.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP}) ::signal(number, SIG_IGN);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const auto say = [](char answer) { return ::write(STDOUT_FILENO, &answer, 1) == 1; };
  std::vector<std::uint8_t> request;
  std::array<std::uint8_t, 4096> block{};
  for (ssize_t count = 0; (count = ::read(STDIN_FILENO, block.data(), block.size())) > 0;) {
    request.insert(request.end(), block.begin(), block.begin() + count);
  }
  const auto json = nlohmann::json::from_cbor(request);
  const auto config = from_bytes<image::DecodeConfig>(json.at("config"));
  const auto spec = from_bytes<base::InputSpec>(json.at("spec"));
  std::vector<corpus::Item> items;
  for (const auto& fields : json.at("items")) {
    corpus::Item item;
    item.id = fields.at(0).get<std::string>();
    item.source = fields.at(1).get<std::string>();
    item.member = fields.at(2).get<std::string>();
    item.offset = fields.at(3).get<std::uint64_t>();
    item.size = fields.at(4).get<std::uint64_t>();
    item.fields = fields.at(5).get<std::vector<std::pair<std::string, std::string>>>();
    items.push_back(std::move(item));
  }
  decode_alone();
  const image::VipsEnvironment vips;
  const corpus::ShardReader reader(std::move(items), static_cast<std::uint64_t>(config.max_file_bytes));
  if (!say(kReady)) return 1;
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    if (reader.read(i, bytes).status == base::RowStatus::kOk)
      decode_item(reader.item(i), bytes, config, spec);
    if (!say(kDone)) return 1;
  }
  return 0;
}

std::string hung_message() {
  return "decoding it took longer than decode.timeout_s and could not be stopped";
}

}  // namespace quasar::pipeline
