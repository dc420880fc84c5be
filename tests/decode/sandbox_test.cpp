// What a worker cannot do, and what does not end it, or does.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "pools.h"

namespace quasar::decode {
namespace {

constexpr int kSkipped = 77;

/// A line of /proc/PID/status.
std::string status_line(int process, const std::string& key) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return line.substr(line.find_first_not_of(" \t", key.size() + 1));
  }
  return {};
}

TEST(Sandbox, ForbidsTheNetworkWritingStartingAndSignalling) {
  const int status = std::system(QUASAR_DECODE_PROGRAM " --check-confinement");
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kSkipped) GTEST_SKIP() << "this kernel does not filter system calls";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Sandbox, IsInstalledInTheWorkersOfAPool) {
  if (status_line(::getpid(), "Seccomp").empty()) GTEST_SKIP() << "this kernel does not filter system calls";
  const WorkerPool pool(pool_config());
  EXPECT_EQ(status_line(pool.process(0), "Seccomp"), "2");
  EXPECT_EQ(status_line(pool.process(0), "NoNewPrivs"), "1");
}

TEST(Sandbox, InheritsNoDescriptor) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const WorkerPool pool(pool_config());
  const auto folder = "/proc/" + std::to_string(pool.process(0)) + "/fd";
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 6)
      << "the standard three, its control and two areas";
  EXPECT_TRUE(std::filesystem::read_symlink(folder + "/0") == "/dev/null");
  for (const int end : pipe) ::close(end);
}

TEST(Sandbox, TheFirstToGoWhenMemoryIsShort) {
  const WorkerPool pool(pool_config());
  std::ifstream file("/proc/" + std::to_string(pool.process(0)) + "/oom_score_adj");
  int score = 0;
  file >> score;
  EXPECT_EQ(score, 1000);
}

TEST(Sandbox, SignalsOfTheJobAreNotTheWorkers) {
  WorkerPool pool(pool_config());
  const int process = pool.process(0);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP}) ::kill(process, number);
  const std::string jpeg = scene_jpeg();
  EXPECT_EQ(pool.decode(0, {}, bytes_of(jpeg))->status, base::RowStatus::kOk);
  EXPECT_EQ(pool.process(0), process);
}

bool ended(int process) {
  const auto state = status_line(process, "State");
  return state.empty() || state.starts_with("Z");
}

TEST(Sandbox, EndsWithItsPool) {
  std::vector<int> processes;
  {
    const WorkerPool pool(pool_config(2));
    processes = {pool.process(0), pool.process(1)};
  }
  for (const int process : processes) EXPECT_TRUE(ended(process));
}

TEST(Sandbox, OutlivesTheThreadThatAskedForIt) {
  std::unique_ptr<WorkerPool> pool;
  std::thread([&pool] { pool = std::make_unique<WorkerPool>(pool_config()); }).join();
  const std::string jpeg = scene_jpeg();
  EXPECT_EQ(pool->decode(0, {}, bytes_of(jpeg))->status, base::RowStatus::kOk);
  EXPECT_EQ(pool->statistics().restarts, 0U);
}

/// A process of its own that has a pool and is killed, while its worker is busy, too.
TEST(Sandbox, EndsWithItsParentHoweverThatEnds) {
  for (const char* id : {"idle", "sleeper"}) {
    const Poison poison("sleep:sleeper");
    std::array<int, 2> told{};
    ASSERT_EQ(::pipe(told.data()), 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
      WorkerPool pool(pool_config());
      const int worker = pool.process(0);
      if (::write(told[1], &worker, sizeof worker) != sizeof worker) ::_exit(1);
      // Bytes that are no picture are all the same to a sleeper.
      if (std::string_view(id) == "sleeper") pool.decode(0, {.id = id}, std::as_bytes(std::span(id, 4)));
      while (true) ::pause();
    }
    int worker = 0;
    ASSERT_EQ(::read(told[0], &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
    EXPECT_FALSE(ended(worker));
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    for (int turn = 0; turn < 1000 && !ended(worker); ++turn)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_TRUE(ended(worker)) << id;
    for (const int end : told) ::close(end);
  }
}

}  // namespace
}  // namespace quasar::decode
