// What comes out of a pool is what image::prepare gives.
#include "decode/worker_pool.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "base/errors.h"
#include "base/sanitized.h"
#include "distort/distortions.h"
#include "image/resize.h"
#include "pools.h"

namespace quasar::decode {
namespace {

using base::RowStatus;
using testing::HasSubstr;
namespace fs = std::filesystem;

/// Files of a folder in order of their names, every `step`-th.
std::vector<fs::path> files_of(const fs::path& folder, std::size_t step = 1) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<fs::path> kept;
  for (std::size_t i = 0; i < files.size(); i += step) kept.push_back(files[i]);
  return kept;
}

TEST(WorkerPool, GivesWhatPrepareGives) {
  WorkerPool pool(pool_config());
  const std::string jpeg = scene_jpeg();
  const auto& spec = pool_config().spec;
  for (const auto& bytes : {jpeg, jpeg.substr(0, jpeg.size() / 2), std::string(), std::string("no picture")})
    expect_same(image::prepare(bytes_of(bytes), {}, spec), pool.decode(0, {.id = "a"}, bytes_of(bytes)), "a");
  const auto statistics = pool.statistics();
  EXPECT_EQ(statistics.pictures, 4U);
  EXPECT_EQ(statistics.restarts, 0U);
}

TEST(WorkerPool, GivesTheHashesOfTheDecodedPixels) {
  auto config = pool_config();
  const std::string jpeg = scene_jpeg();
  const auto whole = image::decode(bytes_of(jpeg), {}).image;
  const auto poses = image::pdq_hashes(whole.pixels, whole.width, whole.height, 3);
  for (const int hashes : {1, 8}) {
    config.decode.perceptual_hashes = hashes;
    WorkerPool pool(config);
    const auto got = pool.decode(0, {.id = "a"}, bytes_of(jpeg));
    expect_same(image::prepare(bytes_of(jpeg), config.decode, config.spec), got, "a");
    ASSERT_EQ(got->hashes.size(), static_cast<std::size_t>(hashes));
    EXPECT_TRUE(std::equal(got->hashes.begin(), got->hashes.end(), poses.begin()));
    EXPECT_TRUE(pool.decode(0, {.id = "b"}, bytes_of("no picture"))->hashes.empty());
  }
}

TEST(WorkerPool, BytesReadIntoItsRoomAreDecodedThere) {
  WorkerPool pool(pool_config());
  const std::string jpeg = scene_jpeg();
  const auto room = pool.room(0, jpeg.size());
  ASSERT_TRUE(room && room->status == RowStatus::kOk);
  ASSERT_EQ(room->bytes.size(), jpeg.size());
  std::copy(jpeg.begin(), jpeg.end(), reinterpret_cast<char*>(room->bytes.data()));
  expect_same(image::prepare(bytes_of(jpeg), {}, pool_config().spec), pool.decode(0, {}, jpeg.size()),
              "room");
}

TEST(WorkerPool, EveryOddFileGivesWhatPrepareGives) {
  const auto folder = test::shared_data() / "data" / "odd";
  QUASAR_REQUIRE_DATA(folder);
  auto config = pool_config();
  config.spec.size = 224;
  config.decode.max_pixels = 50'000'000;
  WorkerPool pool(config);
  for (const auto& file : files_of(folder)) {
    const auto bytes = base::read_file(file);
    expect_same(image::prepare(bytes_of(bytes), config.decode, config.spec),
                pool.decode(0, {.id = file.native()}, bytes_of(bytes)), file);
  }
  EXPECT_EQ(pool.statistics().restarts, 0U);
}

TEST(WorkerPool, PhotosInEveryModeGiveWhatPrepareGives) {
  const auto folder = test::shared_data() / "data" / "photos";
  QUASAR_REQUIRE_DATA(folder);
  const auto files = files_of(folder, 13);
  ASSERT_GT(files.size(), 20U);
  for (const auto rule : {base::ResizeRule::kNone, base::ResizeRule::kShorterSide}) {
    for (const auto mode : {image::DecodeMode::kExact, image::DecodeMode::kFast}) {
      auto config = pool_config();
      config.spec = {.resize = rule, .size = 100, .center_crop = false};
      config.decode.mode = mode;
      config.decode.honour_orientation = true;
      WorkerPool pool(config);
      for (const auto& file : files) {
        const auto bytes = base::read_file(file);
        expect_same(image::prepare(bytes_of(bytes), config.decode, config.spec),
                    pool.decode(0, {.id = "photo"}, bytes_of(bytes)), file);
      }
    }
  }
}

TEST(WorkerPool, DistortionsAreRenderedAtFullSize) {
  auto config = pool_config();
  WorkerPool pool(config);
  const std::string jpeg = scene_jpeg(300, 200);
  const auto decoded = image::decode(bytes_of(jpeg), {});
  for (const auto& info : distort::distortion_table()) {
    for (const int level : {1, 4}) {
      auto expected = decoded;
      expected.image = image::fit(distort::distort(decoded.image, info.kind, level, 9), config.spec);
      expect_same(
          expected,
          pool.decode(0, {.id = "a", .distortion = distort::Distortion{info.kind, level, 9}}, bytes_of(jpeg)),
          std::string(info.name));
    }
  }
}

TEST(WorkerPool, AFailuresReasonIsItsOwnWhateverElseFailsAtOnce) {
  const std::string jpeg = scene_jpeg();
  std::vector<std::string> files = {"\x89PNG\r\n\x1a\n broken header follows"};
  for (const std::size_t cut : {10U, 30U, 60U}) files.push_back(jpeg.substr(0, jpeg.size() * cut / 100));
  std::vector<image::Prepared> alone;
  alone.reserve(files.size());
  for (const auto& file : files) alone.push_back(image::prepare(bytes_of(file), {}, pool_config().spec));
  constexpr int kWorkers = 3;
  WorkerPool pool(pool_config(kWorkers));
  std::vector<std::thread> threads;
  threads.reserve(kWorkers);
  for (int worker = 0; worker < kWorkers; ++worker) {
    threads.emplace_back([&, worker] {
      for (std::size_t i = 0; i < 60; ++i) {
        const std::size_t which = (i + static_cast<std::size_t>(worker)) % files.size();
        expect_same(alone[which], pool.decode(worker, {}, bytes_of(files[which])), "cut");
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(WorkerPool, LimitsOfTheFileHoldWithoutItsBytes) {
  auto config = pool_config();
  config.decode.max_file_bytes = 1000;
  WorkerPool pool(config);
  const std::string large(1001, 'x');
  expect_same(image::prepare(bytes_of(large), config.decode, config.spec),
              pool.decode(0, {}, bytes_of(large)), "large");
}

TEST(WorkerPool, AMissingProgramIsNamedWithTheCure) {
  auto config = pool_config();
  config.program = "/no/such/quasar-decode";
  try {
    const WorkerPool pool(config);
    FAIL() << "started";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("/no/such/quasar-decode"));
    EXPECT_THAT(error.what(), HasSubstr("QUASAR_DECODE"));
  }
}

TEST(WorkerPool, AProgramThatIsNoDecoderIsNamed) {
  for (const char* program : {"/bin/true", "/bin/false"}) {
    auto config = pool_config();
    config.program = program;
    try {
      const WorkerPool pool(config);
      FAIL() << "started";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInternal);
      EXPECT_THAT(error.what(), HasSubstr(program));
      EXPECT_THAT(error.what(), HasSubstr("exit status"));
    }
  }
}

TEST(WorkerPool, TooLittleMemoryIsRefusedWithTheLeast) {
  auto config = pool_config(4);
  config.memory = least_memory(4) - 1;
  try {
    const WorkerPool pool(config);
    FAIL() << "started";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    EXPECT_THAT(error.what(), HasSubstr("416.0 MiB"));
  }
}

TEST(WorkerPool, AnIdleWorkerIsNoLargerThanPlanned) {
  WorkerPool pool(pool_config(2));
  const auto idle = pool.statistics().idle_bytes;
  EXPECT_GT(idle, 0U);
#if !defined(QUASAR_SANITIZED)
  EXPECT_LE(idle, kIdleBytes);
#endif
}

TEST(DefaultProgram, IsWhatTheEnvironmentNames) {
  const char* before = std::getenv("QUASAR_DECODE");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("QUASAR_DECODE", "/opt/quasar-decode", 1);
  EXPECT_EQ(default_program(), "/opt/quasar-decode");
  ::setenv("QUASAR_DECODE", "", 1);
  EXPECT_EQ(default_program().filename(), "quasar-decode");
  ::setenv("QUASAR_DECODE", kept.c_str(), 1);
}

}  // namespace
}  // namespace quasar::decode
