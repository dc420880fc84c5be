// What a run tells of itself, ranks that fall silent, and rows that are tried again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class AccountingTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto outcome = render_scenes(pictures(), {"--count", "20", "--width", "72", "--height", "64"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    write_text(pictures() / "empty.png", "");
    write_text(pictures() / "text.png", "no picture");
    write_text(config(), "run: " + run().string() + "\ncorpus: {directory: " + pictures().string() +
                             ", shard_size: 6}\nencoder: {batch_size: 4}\nanchors: {quality: " +
                             (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
  }
  fs::path pictures() const { return scratch_ / "pictures"; }
  fs::path run() const { return scratch_ / "run"; }
  std::string config() const { return (scratch_ / "config.yaml").string(); }
  /// Status by id.
  std::map<std::string, std::string> statuses() const {
    std::map<std::string, std::string> found;
    std::istringstream lines(content(run() / "manifest.jsonl"));
    std::string line;
    while (std::getline(lines, line)) {
      const auto row = nlohmann::json::parse(line);
      found[row["id"]] = row["status"];
    }
    EXPECT_EQ(found.size(), 22U) << "rows of the manifest";
    return found;
  }

  static std::string host() {
    std::array<char, 64> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
  }

  ScratchFolder scratch_;
};

TEST_F(AccountingTest, StatusNamesShardsFailuresAndRanks) {
  // Larger than the others': threads that wait for each other for a moment alone are not told of.
  const auto larger = render_scenes(pictures(), {"--count", "20", "--width", "720", "--height", "640"});
  ASSERT_EQ(larger.status, 0) << larger.output;
  ASSERT_EQ(run_quasar({"run", config()}, 2).status, 0);
  const auto whole = run_quasar({"status", run().string()});
  ASSERT_EQ(whole.status, 0) << whole.output;
  EXPECT_THAT(whole.output,
              AllOf(HasSubstr("22 of 22"), HasSubstr("4 of 4 finished"), HasSubstr("empty.png: "),
                    HasSubstr("text.png: "), HasSubstr("unknown_format"), HasSubstr("rank-0"),
                    HasSubstr("rank-1"), HasSubstr("waiting for"), HasSubstr("manifest            written")));
  fs::remove(run() / "embeddings" / "shard-000001.h5");
  fs::resize_file(run() / "embeddings" / "shard-000002.h5", 100);
  const auto partial = run_quasar({"status", run().string()});
  EXPECT_THAT(partial.output,
              AllOf(HasSubstr("2 of 4 finished"), HasSubstr("missing   1 2"), HasSubstr("damaged   2")));
}

TEST_F(AccountingTest, StatusOfNoRunIsAnInputError) {
  const auto outcome = run_quasar({"status", (scratch_ / "none").string()});
  EXPECT_EQ(outcome.status, 4) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("is no run directory"));
}

TEST_F(AccountingTest, MetricsAreInPrometheussTextFormatAndAddUp) {
  ASSERT_EQ(run_quasar({"embed", config()}, 3).status, 0);
  std::uint64_t images = 0;
  for (int rank = 0; rank < 3; ++rank) {
    std::istringstream lines(content(run() / "metrics" / ("rank-" + std::to_string(rank) + ".prom")));
    std::string line;
    std::string family;
    while (std::getline(lines, line)) {
      if (line.starts_with("# TYPE ")) family = line.substr(7, line.find(' ', 7) - 7);
      if (line.starts_with('#')) continue;
      EXPECT_THAT(line, testing::MatchesRegex("[a-z_]+[{]rank=\"[0-9]\".*[}] [-+.e0-9]+"));
      EXPECT_TRUE(line.starts_with(family + "{")) << line;
      if (family == "quasar_embed_images_total") images += std::stoull(line.substr(line.rfind(' ')));
    }
  }
  EXPECT_EQ(images, 22U);
}

TEST_F(AccountingTest, TheEndOfARunAndStatusSayWhatBoundsIt) {
  // One thread that decodes, and a picture that holds it up until it is given up.
  const auto outcome =
      run_quasar({"embed", config(), "--set", "decode.timeout_s=2", "--set", "embed.decode_threads=1"}, 1,
                 {"QUASAR_TEST_POISON=spin:scene-0009*"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto said =
      AllOf(HasSubstr("bound by decoding, on the cores: a picture takes "), HasSubstr("More cores or nodes"));
  EXPECT_THAT(outcome.output, said);
  EXPECT_THAT(run_quasar({"status", run().string()}).output, said);
}

TEST_F(AccountingTest, ARankThatFallsSilentEndsTheJobAndIsNamedWithItsImage) {
  std::string id;
  for (const auto& entry : fs::directory_iterator(pictures())) {
    if (entry.path().filename().string().starts_with("scene-0009")) id = entry.path().filename().string();
  }
  const auto outcome =
      run_quasar({"run", config(), "--set", "decode.timeout_s=3600", "--set", "embed.stall_timeout=6"}, 2,
                 {"QUASAR_TEST_POISON=spin:" + id});
  EXPECT_EQ(outcome.status, 10) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("got nothing done"), HasSubstr("decoding " + id)));
  const auto status = run_quasar({"status", run().string()});
  EXPECT_THAT(status.output, AllOf(HasSubstr("heard of"), HasSubstr("decoding " + id + " (shard ")));
}

TEST_F(AccountingTest, TheFirstRankIsWatchedByTheOthers) {
  // An endless image keeps all ranks in the pass; which of them decodes it does not matter.
  std::string id;
  for (const auto& entry : fs::directory_iterator(pictures())) {
    if (entry.path().filename().string().starts_with("scene-0009")) id = entry.path().filename().string();
  }
  Program program({"run", config(), "--set", "decode.timeout_s=3600", "--set", "embed.stall_timeout=20"}, 3,
                  {"QUASAR_TEST_POISON=spin:" + id});
  // Written by its watch, which therefore is there.
  while (program.running() && !fs::exists(run() / "metrics" / "rank-0.prom"))
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  pid_t first = -1;
  for (const pid_t rank : ranks_of(config())) {
    if (content("/proc/" + std::to_string(rank) + "/environ").find("OMPI_COMM_WORLD_RANK=0") !=
        std::string::npos)
      first = rank;
  }
  ASSERT_GT(first, 0);
  // Halted as a whole, its watch over itself and the others too.
  ::kill(first, SIGSTOP);
  const auto outcome = program.wait();
  EXPECT_EQ(outcome.status, 10) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("rank 0 on " + host() + ", or the way to it, has not answered rank"));
  ::kill(first, SIGKILL);
}

TEST_F(AccountingTest, ScoringIsWatchedToo) {
  ASSERT_EQ(run_quasar({"embed", config()}, 2).status, 0);
  for (const std::string rank : {"0", "1"}) {
    const auto outcome = run_quasar({"score", config(), "--set", "embed.stall_timeout=3"}, 3,
                                    {"QUASAR_TEST_STOP=score:" + rank + ":halt"});
    EXPECT_EQ(outcome.status, 10) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("rank " + rank + " on " + host()), HasSubstr("\"score\"")));
  }
  EXPECT_EQ(run_quasar({"score", config()}, 2).status, 0);
}

TEST_F(AccountingTest, RetryRedoesTheFailedRowsAndNoOthers) {
  ASSERT_EQ(run_quasar({"run", config()}, 2).status, 0);
  ASSERT_EQ(statuses()["text.png"], "unknown_format");
  const auto before = content(run() / "manifest.csv");
  std::string sound;
  for (const auto& entry : fs::directory_iterator(pictures())) {
    if (entry.path().filename().string().starts_with("scene-0003")) sound = entry.path().string();
  }
  const auto picture = content(sound);
  for (const char* name : {"text.png", "empty.png"}) write_text(pictures() / name, picture);
  // Rows that were ok are not read again: these files are gone.
  for (const auto& entry : fs::directory_iterator(pictures())) {
    if (entry.path().filename().string().starts_with("scene-")) write_text(entry.path(), "");
  }
  const auto one = run_quasar({"run", "--retry-failed=empty", config()}, 2);
  ASSERT_EQ(one.status, 0) << one.output;
  EXPECT_EQ(statuses()["empty.png"], "ok");
  EXPECT_EQ(statuses()["text.png"], "unknown_format");
  const auto all = run_quasar({"run", "--retry-failed", config()});
  ASSERT_EQ(all.status, 0) << all.output;
  for (const auto& [id, status] : statuses()) EXPECT_EQ(status, "ok") << id;
  EXPECT_NE(content(run() / "manifest.csv"), before);
}

TEST_F(AccountingTest, RetryTriesCrashedRowsAgain) {
  const std::vector<std::string> poison = {"QUASAR_TEST_POISON=abort:scene-0011*"};
  std::string id;
  for (const auto& entry : fs::directory_iterator(pictures())) {
    if (entry.path().filename().string().starts_with("scene-0011")) id = entry.path().filename().string();
  }
  ASSERT_EQ(run_quasar({"run", config()}, 0, poison).status, 0);
  ASSERT_EQ(statuses()[id], "crashed");
  const auto still = run_quasar({"run", "--retry-failed=crashed", config()}, 0, poison);
  ASSERT_EQ(still.status, 0) << still.output;
  EXPECT_EQ(statuses()[id], "crashed");
  const auto mended = run_quasar({"run", "--retry-failed=crashed", config()});
  ASSERT_EQ(mended.status, 0) << mended.output;
  EXPECT_EQ(statuses()[id], "ok");
}

TEST_F(AccountingTest, RetryOfAnUnknownStatusIsAUsageError) {
  const auto outcome = run_quasar({"run", "--retry-failed=crashd", config()});
  EXPECT_EQ(outcome.status, 2) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("crashd"), HasSubstr("crashed")));
}

}  // namespace
