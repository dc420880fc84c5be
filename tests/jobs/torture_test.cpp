// A run that is killed, stopped, starved of disk and damaged on disk ends with the manifest of an undisturbed
// one, byte for byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr int kPictures = 2400;
constexpr int kKills = 20;

class TortureTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder;
    const auto rendered = run_quasar({"scenes", (*scratch_ / "pictures").string(), "--count",
                                      std::to_string(kPictures), "--width", "64", "--height", "64"},
                                     2);
    ASSERT_EQ(rendered.status, 0) << rendered.output;
    for (int i = 0; i < 9; ++i) {
      write_text(*scratch_ / "pictures" / ("broken-" + std::to_string(i) + ".png"), std::string(100, 'x'));
    }
    const auto calm = run_quasar({"run", config(*scratch_ / "calm")});
    ASSERT_EQ(calm.status, 0) << calm.output;
    *reference_ = manifest(*scratch_ / "calm");
    ASSERT_EQ(std::count(reference_->begin(), reference_->end(), '\n'), kPictures + 10);
  }
  static void TearDownTestSuite() {
    delete scratch_;
    scratch_ = nullptr;
  }

  /// Written beside the run directory, whose name tells its processes from others.
  static std::string config(const fs::path& run) {
    auto path = run.string() + ".yaml";
    write_text(path, "run: " + run.string() + "\ncorpus: {directory: " + (*scratch_ / "pictures").string() +
                         ", shard_size: 50}\nencoder: {batch_size: 8}\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
    return path;
  }
  static std::string manifest(const fs::path& run) { return content(run / "manifest.csv"); }

  /// Starts the run and sends a signal to one of its ranks, or to all, after so long. Whether it was still
  /// there.
  struct Hit {
    bool delivered = false;
    Outcome outcome;
  };
  static Hit hit(const fs::path& run, int ranks, int number, bool all, milliseconds after,
                 std::uint64_t which) {
    Hit result;
    const auto path = config(run);
    fs::remove(run / "config.yaml");
    Program program({"run", path}, ranks);
    std::vector<pid_t> found;
    while (program.running() && found.size() < static_cast<std::size_t>(ranks)) {
      std::this_thread::sleep_for(milliseconds(10));
      found = ranks_of(path);
    }
    // Before that, a signal that asks for a stop may find a process that is still being loaded.
    while (number != SIGKILL && program.running() && !fs::exists(run / "config.yaml"))
      std::this_thread::sleep_for(milliseconds(5));
    for (const auto until = std::chrono::steady_clock::now() + after;
         program.running() && std::chrono::steady_clock::now() < until;)
      std::this_thread::sleep_for(milliseconds(5));
    if (program.running() && !found.empty()) {
      if (!all) found = std::vector<pid_t>(1, found[which % found.size()]);
      for (const pid_t rank : found) ::kill(rank, number);
      result.delivered = true;
    }
    result.outcome = program.wait();
    return result;
  }

  static ScratchFolder* scratch_;
  static std::string* reference_;
};

ScratchFolder* TortureTest::scratch_ = nullptr;
std::string* TortureTest::reference_ = new std::string;

TEST_F(TortureTest, TwentyKillsAndAsManyNumbersOfRanksDoNotChangeAByte) {
  constexpr std::array<int, 4> kRanks = {3, 2, 4, 1};
  const auto run = *scratch_ / "killed";
  const auto path = config(run);
  std::mt19937 random(20);
  int kills = 0;
  int finished = 0;
  for (int start = 0; kills < kKills; ++start) {
    const auto after = milliseconds(random() % 2500);
    const auto result =
        hit(run, kRanks[static_cast<std::size_t>(start) % kRanks.size()], SIGKILL, false, after, random());
    if (result.outcome.status != 0) {
      ASSERT_TRUE(result.delivered) << result.outcome.output;
      ++kills;
      continue;
    }
    // It came through before the signal: one more whole run to compare, and another to kill.
    EXPECT_EQ(manifest(run), *reference_);
    fs::remove_all(run);
    ++finished;
  }
  const auto last = run_quasar({"run", path}, 3);
  ASSERT_EQ(last.status, 0) << last.output;
  EXPECT_TRUE(manifest(run) == *reference_) << "the manifest differs after " << kills << " kills";
  RecordProperty("runs_that_came_through", finished);
}

TEST_F(TortureTest, DecodersKilledAtRandomDoNotChangeAByte) {
  const auto run = *scratch_ / "decoders";
  const auto path = config(run);
  std::mt19937 random(7);
  Program program({"run", path}, 2);
  int kills = 0;
  std::map<pid_t, std::chrono::steady_clock::time_point> seen;
  while (program.running()) {
    std::vector<pid_t> workers;
    const auto now = std::chrono::steady_clock::now();
    for (const pid_t rank : ranks_of(path)) {
      for (const pid_t worker : decoders_of(rank)) {
        // A fresh one is left alone: two deaths over one picture would cost it its row, and one that is
        // killed at every start ends the job.
        if (now - seen.emplace(worker, now).first->second > milliseconds(900)) workers.push_back(worker);
      }
    }
    if (!workers.empty() && ::kill(workers[random() % workers.size()], SIGKILL) == 0) ++kills;
    std::this_thread::sleep_for(milliseconds(300));
  }
  const auto outcome = program.wait();
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_GT(kills, 3);
  EXPECT_TRUE(manifest(run) == *reference_) << "the manifest differs after " << kills << " killed decoders";
}

TEST_F(TortureTest, StopsOnSigtermEndWithTheSameManifest) {
  const auto run = *scratch_ / "stopped";
  const auto path = config(run);
  std::mt19937 random(4);
  int stops = 0;
  for (int start = 0; start < 4; ++start) {
    // The first one while nearly everything is still to be done.
    const milliseconds after(start == 0 ? 0 : random() % 1500);
    const auto result = hit(run, 1 + start % 3, SIGTERM, start % 2 == 0, after, random());
    if (result.outcome.status == 0) break;
    EXPECT_EQ(result.outcome.status, 75) << result.outcome.output;
    ++stops;
  }
  EXPECT_GT(stops, 0);
  const auto last = run_quasar({"run", path}, 2);
  ASSERT_EQ(last.status, 0) << last.output;
  EXPECT_TRUE(manifest(run) == *reference_);
}

TEST_F(TortureTest, AFullDiskIsAnErrorAndRoomAgainIsAllItTakes) {
  const auto disk = *scratch_ / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1200k") != 0)
    GTEST_SKIP() << "a file system of its own cannot be mounted here: " << std::strerror(errno);
  const struct Unmount {
    fs::path path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{disk};
  const auto run = disk / "run";
  const auto path = config(*scratch_ / "on-disk");
  const auto full = run_quasar({"run", path, "--set", "run=" + run.string()}, 2);
  EXPECT_EQ(full.status, 5) << full.output;
  EXPECT_THAT(full.output, HasSubstr("No space left"));
  ASSERT_TRUE(fs::exists(run / "embeddings" / "shard-000000.h5") || !fs::is_empty(run / "embeddings"));
  ASSERT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
  const auto again = run_quasar({"run", path, "--set", "run=" + run.string()}, 3);
  ASSERT_EQ(again.status, 0) << again.output;
  EXPECT_TRUE(manifest(run) == *reference_);
}

TEST_F(TortureTest, ShardsCutOrDamagedOnDiskAreFoundAndRedone) {
  const auto run = *scratch_ / "damaged";
  const auto path = config(run);
  fs::copy(*scratch_ / "calm", run, fs::copy_options::recursive);
  const auto shard = [&](int id) {
    return run / "embeddings" / ("shard-00000" + std::to_string(id) + ".h5");
  };
  fs::resize_file(shard(2), fs::file_size(shard(2)) / 2);
  write_text(shard(3), "");
  // A part of the embeddings themselves: HDF5 opens the file as before.
  auto bytes = content(shard(4));
  const auto sound = content(shard(5));
  std::ofstream(shard(4), std::ios::binary) << [&] {
    for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 8; ++i)
      bytes[i] = static_cast<char>(bytes[i] ^ 1);
    return bytes;
  }();
  // The size of a text in HDF5's heap, after which it crashes if it gets the file.
  auto texts = content(shard(1));
  const auto heap = texts.find("GCOL");
  ASSERT_NE(heap, std::string::npos);
  texts[heap + 27] = static_cast<char>(texts[heap + 27] ^ 1);
  std::ofstream(shard(1), std::ios::binary) << texts;
  const auto told = run_quasar({"status", run.string()});
  EXPECT_EQ(told.status, 0) << told.output;
  EXPECT_THAT(told.output, HasSubstr("damaged   1 2 3"));
  const auto stamp = fs::last_write_time(shard(5));
  const auto outcome = run_quasar({"run", path}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  for (const int id : {1, 2, 3, 4})
    EXPECT_THAT(outcome.output, HasSubstr(shard(id).string() + " is damaged"));
  EXPECT_EQ(fs::last_write_time(shard(5)), stamp);
  EXPECT_EQ(content(shard(5)), sound);
  EXPECT_TRUE(manifest(run) == *reference_);
}

}  // namespace
