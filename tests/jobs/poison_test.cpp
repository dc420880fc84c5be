// Images that crash or hang the decoder, and signals: what they end, what they leave, what the next start
// does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
using testing::Not;
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
    write_text(
        path,
        "run: " + run().string() + "\ncorpus: {directory: " + (*scratch_ / "pictures").string() +
            ", shard_size: 8}\nencoder: {batch_size: 4}\ndecode: {timeout_s: 0.5}\nanchors: {quality: " +
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
    return found;
  }
  static std::size_t journals(const fs::path& run) {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(run / "state"))
      count += entry.path().filename().string().starts_with("journal-") ? 1 : 0;
    return count;
  }
  /// Runs twice with the poison: dies with `first_status`, then completes with every other row ok.
  void expect_quarantine(const std::string& poison, const std::string& id, int first_status,
                         const std::string& row_status) {
    const std::vector<std::string> environment = {"QUASAR_TEST_POISON=" + poison + ":" + id};
    const auto died = run_quasar({"run", config()}, GetParam(), environment);
    EXPECT_EQ(died.status, first_status) << died.output;
    EXPECT_FALSE(fs::exists(run() / "manifest.csv"));
    EXPECT_GE(journals(run()), 1U);
    const auto again = run_quasar({"run", config()}, GetParam(), environment);
    ASSERT_EQ(again.status, 0) << again.output;
    EXPECT_THAT(again.output, HasSubstr(id + " is under quarantine"));
    const auto rows = statuses(run());
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(kPictures));
    for (const auto& [name, row] : rows) EXPECT_EQ(row.first, name == id ? row_status : "ok") << name;
    EXPECT_EQ(journals(run()), 0U);
    const auto third = run_quasar({"run", config()}, GetParam(), environment);
    EXPECT_EQ(third.status, 0) << third.output;
  }

  static ScratchFolder* scratch_;
};

ScratchFolder* PoisonTest::scratch_ = nullptr;

INSTANTIATE_TEST_SUITE_P(Ranks, PoisonTest, testing::Values(0, 2));

TEST_P(PoisonTest, AnImageThatCrashesTheDecoderStopsTheRunOnce) {
  expect_quarantine("abort", picture(13), 128 + SIGABRT, "crashed");
  EXPECT_THAT(content(run() / "state" / "quarantine.jsonl"), HasSubstr("signal 6"));
}

TEST_P(PoisonTest, AnImageThatHangsTheDecoderStopsTheRunOnce) {
  expect_quarantine("spin", picture(22), 10, "timed_out");
}

TEST_P(PoisonTest, ASuspectThatDecodesAloneIsNotPutUnderQuarantine) {
  const auto id = picture(30);
  const auto died = run_quasar({"run", config()}, GetParam(), {"QUASAR_TEST_POISON=abort:" + id});
  EXPECT_NE(died.status, 0);
  const auto again = run_quasar({"run", config()}, GetParam());
  ASSERT_EQ(again.status, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("tried alone"));
  for (const auto& [name, row] : statuses(run())) EXPECT_EQ(row.first, "ok") << name;
}

TEST_P(PoisonTest, AnImageThatCrashesRanksButDecodesAloneStopsTheRunTwice) {
  const auto id = picture(17);
  const std::vector<std::string> environment = {"QUASAR_TEST_POISON=rank-abort:" + id};
  for (int start = 0; start < 2; ++start) {
    const auto died = run_quasar({"run", config()}, GetParam(), environment);
    EXPECT_EQ(died.status, 128 + SIGABRT) << died.output;
    EXPECT_THAT(died.output, Not(HasSubstr("under quarantine")));
  }
  const auto third = run_quasar({"run", config()}, GetParam(), environment);
  ASSERT_EQ(third.status, 0) << third.output;
  EXPECT_THAT(third.output, HasSubstr(id + " is under quarantine: decoding it ended 2 processes"));
  for (const auto& [name, row] : statuses(run())) EXPECT_EQ(row.first, name == id ? "crashed" : "ok") << name;
  EXPECT_THAT(content(run() / "state" / "crash_counts.jsonl"), Not(HasSubstr(id)));
  // Mended, it is as any other.
  const auto again = run_quasar({"run", "--retry-failed", config()}, GetParam());
  ASSERT_EQ(again.status, 0) << again.output;
  for (const auto& [name, row] : statuses(run())) EXPECT_EQ(row.first, "ok") << name;
}

TEST_P(PoisonTest, AnImageThatRanksAreKilledOverIsLeftOutInTheEnd) {
  const auto id = picture(35);
  const std::vector<std::string> environment = {"QUASAR_TEST_POISON=rank-kill:" + id};
  int deaths = 0;
  Outcome outcome;
  while ((outcome = run_quasar({"run", config()}, GetParam(), environment)).status != 0 && deaths < 10)
    ++deaths;
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(deaths, 5);
  EXPECT_THAT(outcome.output, HasSubstr(id + " is under quarantine: 5 processes died"));
  EXPECT_EQ(statuses(run())[id].first, "crashed");
}

TEST_P(PoisonTest, TheQuarantineIsOfAnImageAndNotOfAPlaceInThePlan) {
  ASSERT_EQ(run_quasar({"embed", config()}, GetParam()).status, 0);
  fs::remove(run() / "embeddings" / "shard-000000.h5");
  write_text(run() / "state" / "quarantine.jsonl",
             R"({"row":2,"id":"another.png","status":"crashed","error":"signal 11"})"
             "\n");
  const auto outcome = run_quasar({"run", config()}, GetParam());
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  for (const auto& [name, row] : statuses(run())) EXPECT_EQ(row.first, "ok") << name;
}

TEST_P(PoisonTest, ADamagedQuarantineIsRefused) {
  fs::create_directories(run() / "state");
  write_text(run() / "state" / "quarantine.jsonl", "{\"row\": 3}\n");
  const auto outcome = run_quasar({"run", config()}, GetParam());
  EXPECT_EQ(outcome.status, 4) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("quarantine.jsonl:1"));
}

class SignalTest : public PoisonTest {
 protected:
  /// Starts a run and waits until it embeds.
  std::unique_ptr<Program> started(const std::string& path) {
    auto program = std::make_unique<Program>(
        std::vector<std::string>{"run", path, "--set", "embed.decode_threads=2"}, GetParam());
    while (program->running() && !fs::exists(run() / "state"))
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return program;
  }
};

INSTANTIATE_TEST_SUITE_P(Ranks, SignalTest, testing::Values(2, 3));

TEST_P(SignalTest, OneRanksSignalStopsThemAllAndTheNextRunEndsTheWork) {
  for (const int number : {SIGTERM, SIGUSR1}) {
    fs::remove_all(run());
    const auto path = config();
    const auto program = started(path);
    const auto ranks = ranks_of(path);
    if (!ranks.empty()) ::kill(ranks.back(), number);
    const auto outcome = program->wait();
    // The work may have been done before the signal came.
    if (outcome.status != 0) {
      EXPECT_EQ(outcome.status, 75) << outcome.output;
      EXPECT_THAT(outcome.output, HasSubstr("continues"));
    }
    const auto rest = run_quasar({"run", path}, 1);
    ASSERT_EQ(rest.status, 0) << rest.output;
    EXPECT_THAT(rest.output, Not(HasSubstr("tried alone")));
  }
}

TEST_P(SignalTest, TheSameSignalTwiceIsStillACleanStop) {
  const auto path = config();
  const auto program = started(path);
  for (int i = 0; i < 2; ++i) {
    for (const pid_t rank : ranks_of(path)) ::kill(rank, SIGUSR1);
  }
  const auto outcome = program->wait();
  EXPECT_TRUE(outcome.status == 0 || outcome.status == 75) << outcome.output;
}

}  // namespace
