// Images that crash, hang or overfill the decoder, decoders that are killed, and signals: what they cost,
// what they end, what the next start does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "halted_rank.h"
#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int kPictures = 40;

class PoisonTest : public testing::TestWithParam<int> {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder;
    const auto outcome = run_quasar({"scenes", (*scratch_ / "pictures").string(), "--count",
                                     std::to_string(kPictures), "--width", "72", "--height", "64"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }
  static void TearDownTestSuite() {
    delete scratch_;
    scratch_ = nullptr;
  }

  /// A configuration with a run directory of its own.
  std::string config() const {
    auto path = (*scratch_ / "config.yaml").string();
    write_text(path, "run: " + run().string() + "\ncorpus: {directory: " + (*scratch_ / "pictures").string() +
                         ", shard_size: 8}\nencoder: {batch_size: 4}\ndecode: {timeout_s: 2}\nmemory: "
                         "2GiB\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
    return path;
  }
  fs::path run() const {
    std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(name.begin(), name.end(), '/', '-');
    return *scratch_ / name;
  }
  /// Name of the picture with this number.
  static std::string picture(int number) {
    const auto prefix = "scene-00" + std::to_string(number) + "-";
    for (const auto& entry : fs::directory_iterator(*scratch_ / "pictures")) {
      if (entry.path().filename().string().starts_with(prefix)) return entry.path().filename().string();
    }
    return "no such picture";
  }
  /// Status and message by id.
  static std::map<std::string, std::pair<std::string, std::string>> statuses(const fs::path& run) {
    std::map<std::string, std::pair<std::string, std::string>> found;
    std::istringstream lines(content(run / "manifest.jsonl"));
    std::string line;
    while (std::getline(lines, line)) {
      const auto row = nlohmann::json::parse(line);
      found[row["id"]] = {row["status"], row.value("reason", "")};
    }
    EXPECT_EQ(found.size(), static_cast<std::size_t>(kPictures)) << "rows of the manifest";
    return found;
  }
  /// One start with the poison, which ends well: the image has its row, and every other one is as without.
  void expect_one_row(const std::string& poison, const std::string& id, const std::string& row_status,
                      const std::string& said) {
    const auto outcome =
        run_quasar({"run", config()}, GetParam(), {"QUASAR_TEST_POISON=" + poison + ":" + id});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    const auto rows = statuses(run());
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(kPictures));
    for (const auto& [name, row] : rows) EXPECT_EQ(row.first, name == id ? row_status : "ok") << name;
    EXPECT_THAT(run_quasar({"status", run().string()}).output, HasSubstr(said));
    const auto again = run_quasar({"run", config()}, GetParam());
    EXPECT_EQ(again.status, 0) << again.output;
    EXPECT_EQ(statuses(run()).at(id).first, row_status) << "a finished shard stays as it is";
    // Mended, it is as any other.
    const auto mended = run_quasar({"run", "--retry-failed", config()}, GetParam());
    ASSERT_EQ(mended.status, 0) << mended.output;
    EXPECT_EQ(statuses(run()).at(id).first, "ok");
  }

  static ScratchFolder* scratch_;
};

ScratchFolder* PoisonTest::scratch_ = nullptr;

INSTANTIATE_TEST_SUITE_P(Ranks, PoisonTest, testing::Values(0, 2));

TEST_P(PoisonTest, AnImageThatCrashesTheDecoderCostsItsRow) {
  expect_one_row("abort", picture(13), "crashed", "SIGABRT");
  fs::remove_all(run());
  expect_one_row("segv", picture(14), "crashed", "SIGSEGV");
}

TEST_P(PoisonTest, AnImageThatHangsTheDecoderCostsItsRow) {
  expect_one_row("spin", picture(22), "timed_out", "decode.timeout_s");
  fs::remove_all(run());
  expect_one_row("sleep", picture(23), "timed_out", "decode.timeout_s");
}

TEST_P(PoisonTest, AnImageThatTakesAllMemoryCostsItsRow) {
  expect_one_row("oom", picture(35), "out_of_memory", "may take");
}

TEST_P(PoisonTest, ManyCostNoMoreThanTheirRows) {
  const auto outcome =
      run_quasar({"run", config()}, GetParam(), {"QUASAR_TEST_POISON=abort:scene-001*,kill:scene-003*"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  int crashed = 0;
  for (const auto& [name, row] : statuses(run())) {
    const bool poisoned = name.starts_with("scene-001") || name.starts_with("scene-003");
    EXPECT_EQ(row.first, poisoned ? "crashed" : "ok") << name;
    crashed += row.first == "crashed" ? 1 : 0;
  }
  EXPECT_EQ(crashed, 20);
}

TEST_P(PoisonTest, DecodersThatAreKilledCostNothing) {
  const auto path = config();
  Program program({"run", path}, GetParam());
  std::size_t killed = 0;
  // The first ones of each rank, and none of those that replace them: a picture that two died over has its
  // row.
  std::set<pid_t> hit;
  while (program.running()) {
    for (const pid_t rank : ranks_of(path)) {
      const auto workers = decoders_of(rank);
      if (workers.empty() || !hit.insert(rank).second) continue;
      for (const pid_t worker : workers) killed += ::kill(worker, SIGKILL) == 0 ? 1 : 0;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const auto outcome = program.wait();
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_GT(killed, 0U);
  for (const auto& [name, row] : statuses(run())) EXPECT_EQ(row.first, "ok") << name;
}

TEST_P(PoisonTest, DecodersEndWithTheirRank) {
  const auto path = config();
  Program program({"run", path, "--set", "decode.timeout_s=1000"}, GetParam(),
                  {"QUASAR_TEST_POISON=spin:scene-*"});
  std::vector<pid_t> workers;
  while (program.running() && workers.empty()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (const pid_t rank : ranks_of(path)) {
      for (const pid_t worker : decoders_of(rank)) workers.push_back(worker);
    }
  }
  ASSERT_FALSE(workers.empty());
  for (const pid_t rank : ranks_of(path)) ::kill(rank, SIGKILL);
  program.wait();
  const auto alive = [](pid_t worker) {
    return content("/proc/" + std::to_string(worker) + "/cmdline").find("quasar-decode") != std::string::npos;
  };
  for (int turn = 0; turn < 200 && std::any_of(workers.begin(), workers.end(), alive); ++turn)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(std::none_of(workers.begin(), workers.end(), alive));
}

class SignalTest : public PoisonTest {
 protected:
  /// A run whose last rank stands still where it begins to embed.
  static HaltedRun halted(const std::string& path) {
    return start_halted({"run", path}, path, GetParam(), "embed", GetParam() - 1);
  }
  static void expect_stop(const Outcome& outcome) {
    EXPECT_EQ(outcome.status, 75) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("continues"));
  }
};

INSTANTIATE_TEST_SUITE_P(Ranks, SignalTest, testing::Values(2, 3));

TEST_P(SignalTest, OneRanksSignalStopsThemAllAndTheNextRunEndsTheWork) {
  for (const int number : {SIGTERM, SIGUSR1}) {
    fs::remove_all(run());
    const auto path = config();
    const auto [program, rank] = halted(path);
    ASSERT_GT(rank, 0) << program->wait().output;
    ::kill(rank, number);
    ::kill(rank, SIGCONT);
    expect_stop(program->wait());
    EXPECT_FALSE(fs::exists(run() / "manifest.csv"));
    const auto rest = run_quasar({"run", path}, 1);
    ASSERT_EQ(rest.status, 0) << rest.output;
    for (const auto& [name, row] : statuses(run())) EXPECT_EQ(row.first, "ok") << name;
  }
}

TEST_P(SignalTest, TheSameSignalTwiceIsStillACleanStop) {
  const auto path = config();
  const auto [program, halted_rank] = halted(path);
  ASSERT_GT(halted_rank, 0) << program->wait().output;
  const auto ranks = ranks_of(path);
  ASSERT_EQ(ranks.size(), static_cast<std::size_t>(GetParam()));
  for (const pid_t rank : ranks) ::kill(rank, SIGUSR1);
  ::kill(halted_rank, SIGCONT);
  for (const pid_t rank : ranks) ::kill(rank, SIGUSR1);
  expect_stop(program->wait());
}

}  // namespace
