// The key `memory` as a user meets it: predictions before the start, refusal of the impossible, the same
// result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <regex>
#include <thread>

#include "base/sanitized.h"
#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;

class MemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto made =
        render_scenes(scratch_ / "pictures", {"--count", "8", "--width", "96", "--height", "72"});
    ASSERT_EQ(made.status, 0) << made.output;
  }
  std::string config(const std::string& name, const std::string& rest) {
    auto path = (scratch_ / (name + ".yaml")).string();
    write_text(path, "run: " + (scratch_ / name).string() +
                         "\ncorpus: {directory: " + (scratch_ / "pictures").string() +
                         ", shard_size: 3}\nencoder: {batch_size: 2}\nanchors:\n  quality:\n    corpus: "
                         "{directory: " +
                         (scratch_ / "pictures").string() +
                         "}\n    distortions: {kinds: [jpeg], levels: [2, 4]}\n"
                         "    recipe: {aggregation: clustering, k: 2}\n" +
                         rest);
    return path;
  }
  ScratchFolder scratch_;
};

TEST_F(MemoryTest, IsPredictedBeforeTheStartAndReportedAtTheEndAndChangesNoResult) {
  ASSERT_EQ(run_quasar({"run", config("free", "")}).status, 0);
  const auto path = config("bound", "memory: 4GiB\n");
  const auto planned = run_quasar({"plan", path});
  EXPECT_EQ(planned.status, 0) << planned.output;
  for (const char* words : {"of 4.0 GiB", "embed ", "anchors quality ", "rank "})
    EXPECT_THAT(planned.output, HasSubstr(words));
  const auto outcome = run_quasar({"run", path}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("peak memory of a rank"));
  EXPECT_EQ(content(scratch_ / "bound" / "manifest.csv"), content(scratch_ / "free" / "manifest.csv"));
}

/// "312.4 MiB" as bytes.
double bytes_of(const std::string& number, const std::string& unit) {
  const double scale = unit == "KiB" ? 10 : unit == "MiB" ? 20 : unit == "GiB" ? 30 : 0;
  return std::stod(number) * std::exp2(scale);
}

/// A size of /proc/PID/status; 0 when the process is gone.
double kernel_bytes(const std::string& status, const std::string& key) {
  std::smatch found;
  return std::regex_search(status, found, std::regex(key + ":\\s+([0-9]+) kB"))
             ? std::stod(found[1].str()) * 1024
             : 0;
}

TEST_F(MemoryTest, ThePeakThatIsReportedIsTheKernelsAndWithinTheBound) {
#if defined(QUASAR_SANITIZED)
  GTEST_SKIP() << "sanitizers change what memory is used";
#endif
  Program program({"run", config("measured", "memory: 2GiB\n"), "--set", "embed.decode_threads=1"}, 0);
  double worker = 0;
  double workers_own = 0;
  while (program.running()) {
    for (const pid_t decoder : decoders_of(program.process())) {
      const auto status = content("/proc/" + std::to_string(decoder) + "/status");
      worker = std::max(worker, kernel_bytes(status, "VmHWM"));
      workers_own = std::max(workers_own, kernel_bytes(status, "RssAnon"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const auto outcome = program.wait();
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  ASSERT_GT(workers_own, 2e6) << "no decode worker was seen at work";
  std::smatch told;
  ASSERT_TRUE(std::regex_search(
      outcome.output, told,
      std::regex("peak memory of a rank and its decode workers: ([0-9.]+) ([KMG]iB) of 2.0 GiB")))
      << outcome.output;
  const double reported = bytes_of(told[1].str(), told[2].str());
  const auto rank = static_cast<double>(outcome.peak_bytes);
  ASSERT_GT(rank, 0);
  // Of a worker counts what is its own, and not the libraries. The report comes shortly before the end, and
  // ending takes some more.
  EXPECT_GT(reported, 0.97 * rank + 0.5 * workers_own) << rank << " and a worker's " << workers_own;
  EXPECT_LT(reported, 1.02 * rank + worker) << rank << " and a worker of " << worker;
  EXPECT_LE(reported, std::exp2(31));
}

TEST_F(MemoryTest, TooLittleIsRefusedBeforeTheFirstImageAndTheLeastIsNamed) {
  for (const std::string command : {"plan", "run"}) {
    const auto outcome = run_quasar({command, config("tight", "memory: 80MiB\n")}, 2);
    EXPECT_EQ(outcome.status, 3) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("set memory to at least"));
  }
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "tight" / "embeddings"));
  const auto nonsense = run_quasar({"plan", config("none", "memory: 1MiB\n")});
  EXPECT_EQ(nonsense.status, 3) << nonsense.output;
  EXPECT_THAT(nonsense.output, HasSubstr("memory"));
}

TEST_F(MemoryTest, WhatTheRefusalAdvisesIsAcceptedAfterwards) {
  const auto refused = run_quasar({"run", config("advised", "memory: 80MiB\n")});
  EXPECT_EQ(refused.status, 3) << refused.output;
  std::smatch advice;
  ASSERT_TRUE(std::regex_search(refused.output, advice, std::regex("set memory to at least ([0-9A-Za-z]+),")))
      << refused.output;
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "advised")) << "a refused run has settled something";
  // The keys it names to be lowered can still be, too.
  const auto accepted = run_quasar({"run", config("advised", "memory: " + advice[1].str() + "\n"), "--set",
                                    "encoder.batch_size=1", "--set", "corpus.shard_size=2"});
  EXPECT_EQ(accepted.status, 0) << accepted.output;
  EXPECT_THAT(accepted.output, HasSubstr("8 images in 4 shards"));
}

}  // namespace
