// What decoding takes is what is estimated from the header, for every kind of file, and workers keep within
// the budget whatever comes.
#include <gmock/gmock.h>
#include <vips/vips.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "base/sanitized.h"
#include "decode/memory_need.h"
#include "pools.h"

namespace quasar::decode {
namespace {

using base::RowStatus;
using testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

struct Unref {
  void operator()(VipsImage* image) const { g_object_unref(image); }
};
using VipsPointer = std::unique_ptr<VipsImage, Unref>;

/// Soft noise, so that no codec finds it simple.
VipsPointer noise(int width, int height, int bands) {
  std::vector<std::uint8_t> samples(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                                    static_cast<std::size_t>(bands));
  std::uint32_t state = 1;
  for (auto& sample : samples) {
    state = state * 1664525 + 1013904223;
    sample = static_cast<std::uint8_t>(112 + (state >> 27));
  }
  return VipsPointer(vips_image_new_from_memory_copy(samples.data(), samples.size(), width, height, bands,
                                                     VIPS_FORMAT_UCHAR));
}

/// Encoded as the suffix and its options say (".jpg[interlace]"); empty where this libvips cannot.
std::string encoded(VipsImage* image, const std::string& suffix) {
  void* bytes = nullptr;
  std::size_t size = 0;
  if (vips_image_write_to_buffer(image, suffix.c_str(), &bytes, &size, nullptr) != 0) {
    vips_error_clear();
    return {};
  }
  std::string text(static_cast<const char*>(bytes), size);
  g_free(bytes);
  return text;
}

struct Kind {
  const char* name;
  int width;
  int height;
  int bands;
  const char* suffix;
  VipsBandFormat format = VIPS_FORMAT_UCHAR;
  bool turned = false;
  base::InputSpec spec = {};
  std::uint64_t careful = 3;  ///< How many times what it takes may be estimated, beside a fixed part.
};

std::string made_of(const Kind& kind) {
  auto image = noise(kind.width, kind.height, kind.bands);
  EXPECT_TRUE(image);
  if (kind.format != VIPS_FORMAT_UCHAR) {
    VipsImage* cast = nullptr;
    EXPECT_EQ(vips_cast(image.get(), &cast, kind.format, nullptr), 0);
    image.reset(cast);
  }
  if (kind.turned) vips_image_set_int(image.get(), VIPS_META_ORIENTATION, 6);
  return encoded(image.get(), kind.suffix);
}

/// Made once: lossless codecs take seconds for noise.
const std::string& file_of(const Kind& kind) {
  static std::map<std::string, std::string> files;
  const auto found = files.find(kind.name);
  return found != files.end() ? found->second : files.emplace(kind.name, made_of(kind)).first->second;
}

constexpr base::InputSpec kNative{.resize = base::ResizeRule::kNone};
constexpr base::InputSpec kWhole{.resize = base::ResizeRule::kShorterSide, .size = 512, .center_crop = false};

const Kind kKinds[] = {
    {"jpeg", 4500, 3000, 3, ".jpg[Q=80]"},
    {"jpeg-grey", 4500, 3000, 1, ".jpg[Q=80]"},
    {"jpeg-progressive", 4500, 3000, 3, ".jpg[Q=80,interlace]"},
    {"jpeg-progressive-444", 4500, 3000, 3, ".jpg[Q=95,interlace,subsample_mode=off]"},
    {"jpeg-turned", 4500, 3000, 3, ".jpg[Q=80]", VIPS_FORMAT_UCHAR, true},
    {"jpeg-native", 4000, 2500, 3, ".jpg[Q=80]", VIPS_FORMAT_UCHAR, false, kNative},
    {"jpeg-grey-native", 4000, 2500, 1, ".jpg[Q=80]", VIPS_FORMAT_UCHAR, false, kNative},
    {"jpeg-512", 4500, 3000, 3, ".jpg[Q=80]", VIPS_FORMAT_UCHAR, false, kWhole},
    {"jpeg-wide", 60000, 300, 3, ".jpg[Q=80]"},
    {"png", 4000, 2500, 3, ".png"},
    {"png-alpha", 4000, 2500, 4, ".png[compression=1]"},
    {"png-palette", 3000, 2000, 3, ".png[palette,compression=1]"},
    {"png-16", 3000, 2400, 3, ".png[compression=1]", VIPS_FORMAT_USHORT},
    {"png-strip", 600, 39000, 3, ".png[compression=1]"},
    {"png-strip-512", 600, 39000, 3, ".png[compression=1]", VIPS_FORMAT_UCHAR, false, kWhole},
    {"png-interlaced", 4000, 2500, 3, ".png[interlace,compression=1]"},
    {"png-interlaced-16", 4000, 2500, 4, ".png[interlace,compression=1]", VIPS_FORMAT_USHORT},
    {"webp", 4000, 2500, 3, ".webp[effort=0]"},
    {"webp-alpha", 3000, 2400, 4, ".webp[effort=0]"},
    {"webp-lossless", 4000, 2500, 3, ".webp[lossless,effort=0]"},
    {"tiff", 4000, 2500, 3, ".tif"},
    {"tiff-one-strip", 4000, 2500, 3, ".tif[tile_height=100000]"},
    {"tiff-deflate", 4000, 2500, 3, ".tif[compression=deflate]", VIPS_FORMAT_UCHAR, false, {}, 4},
    {"tiff-one-tile", 4096, 3072, 3, ".tif[tile,tile_width=4096,tile_height=3072]"},
    {"tiff-one-tile-deflate", 4096, 3072, 3,
     ".tif[tile,tile_width=4096,tile_height=3072,compression=deflate]"},
    {"tiff-tiled", 4000, 2500, 3, ".tif[tile,tile_width=256,tile_height=256,compression=lzw]"},
    // The header does not say that its strips are small, here and above.
    {"tiff-jpeg", 4000, 2500, 3, ".tif[compression=jpeg]", VIPS_FORMAT_UCHAR, false, {}, 8},
    {"tiff-jpeg-one-strip", 4000, 2496, 3, ".tif[compression=jpeg,tile_height=2496]"},
    {"tiff-float", 3000, 2000, 3, ".tif", VIPS_FORMAT_FLOAT},
    {"gif", 3000, 2000, 3, ".gif[effort=1]"},
    {"heic", 1000, 700, 3, ".heic[effort=0]"},
    {"avif", 1000, 700, 3, ".avif[effort=0]"},
};

class Memory : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, Memory, testing::ValuesIn(kKinds), [](const auto& kind) {
  std::string name = kind.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST_P(Memory, TakesWhatIsEstimatedAndNotMuchLess) {
#if defined(QUASAR_SANITIZED)
  GTEST_SKIP() << "sanitizers change what memory is used";
#endif
  const Kind& kind = GetParam();
  const std::string& bytes = file_of(kind);
  if (bytes.empty()) GTEST_SKIP() << "this libvips does not write " << kind.suffix;
  auto config = pool_config();
  config.spec = kind.spec;
  config.decode.honour_orientation = true;
  MemoryNeed need;
  const image::Admission estimate = [&](const image::Header& header) {
    need = memory_need(header, config.spec, false);
    return false;
  };
  image::prepare(bytes_of(bytes), config.decode, config.spec, estimate);
  const std::uint64_t estimated = need.own + need.output + bytes.size();
  WorkerPool pool(config);
  const auto idle = memory_of(pool.process(0), "VmRSS");
  const auto prepared = pool.decode(0, {.id = kind.name}, bytes_of(bytes));
  ASSERT_EQ(prepared->status, RowStatus::kOk) << prepared->error;
  EXPECT_EQ(pool.statistics().restarts, 0U) << "it was refused memory at first";
  const auto taken = memory_of(pool.process(0), "VmHWM") - idle;
  RecordProperty("taken", static_cast<int>(taken / kMiB));
  if (std::getenv("QUASAR_PRINT_MEMORY") != nullptr)
    std::printf("%-22s estimated %4d MiB (own %4d) taken %4d MiB  file %3d MiB raster %d\n", kind.name,
                static_cast<int>(estimated / kMiB), static_cast<int>(need.own / kMiB),
                static_cast<int>(taken / kMiB), static_cast<int>(bytes.size() / kMiB),
                kind.width * kind.height * kind.bands >> 20);
  EXPECT_LE(taken, estimated);
  EXPECT_LE(estimated, kind.careful * taken + 16 * kMiB)
      << "too careful: others would wait for what nobody uses";
}

const std::string& file_of(const std::string& name) {
  for (const auto& kind : kKinds) {
    if (kind.name == name) return file_of(kind);
  }
  ADD_FAILURE() << "no kind " << name;
  static const std::string none;
  return none;
}

TEST(Budget, IsKeptByAllWorkersTogetherWhateverComes) {
#if defined(QUASAR_SANITIZED)
  GTEST_SKIP() << "sanitizers change what memory is used";
#endif
  std::vector<std::string> files = {scene_jpeg()};
  for (const char* name : {"png-strip", "jpeg-progressive-444", "png-interlaced", "webp", "jpeg-wide"})
    files.push_back(file_of(name));
  constexpr int kWorkers = 3;
  auto config = pool_config(kWorkers);
  config.memory = least_memory(kWorkers) + 200 * kMiB;
  WorkerPool pool(config);
  std::vector<std::thread> threads;
  threads.reserve(kWorkers);
  std::atomic<int> working{kWorkers};
  for (int worker = 0; worker < kWorkers; ++worker) {
    threads.emplace_back([&, worker] {
      for (std::size_t i = 0; i < files.size(); ++i) {
        const auto& file = files[(i + static_cast<std::size_t>(worker)) % files.size()];
        const auto prepared = pool.decode(worker, {.id = "any"}, bytes_of(file));
        EXPECT_EQ(prepared->status, RowStatus::kOk) << prepared->error;
      }
      --working;
    });
  }
  std::uint64_t most = 0;
  while (working > 0) {
    std::uint64_t sum = 0;
    for (int worker = 0; worker < kWorkers; ++worker) sum += memory_of(pool.process(worker), "VmRSS");
    most = std::max(most, sum);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most, config.memory);
  EXPECT_LE(pool.gate().peak(), 200 * kMiB);
  EXPECT_EQ(pool.gate().held(), 0U);
  EXPECT_EQ(pool.statistics().restarts, 0U);
  // What a large picture took is given back; the standing share may stay.
  for (int worker = 0; worker < kWorkers; ++worker) {
    pool.decode(worker, {}, bytes_of(files[0]));
    EXPECT_LE(memory_of(pool.process(worker), "VmRSS"), kIdleBytes + kStandingBytes);
  }
}

TEST(Budget, WhatNeedsMoreThanThereIsIsRefusedByItsHeader) {
  const std::string& bytes = file_of("jpeg-progressive-444");
  auto config = pool_config();
  config.memory = least_memory(1) + 20 * kMiB;
  WorkerPool pool(config);
  const auto refused = pool.decode(0, {}, bytes_of(bytes));
  EXPECT_EQ(refused->status, RowStatus::kOutOfMemory);
  EXPECT_THAT(refused->error, HasSubstr("4500x3000 pixels of jpeg takes about"));
  EXPECT_THAT(refused->error,
              HasSubstr("more than the 84.0 MiB that one picture may take by the key memory"));
  EXPECT_EQ(refused->width, 4500);
  EXPECT_EQ(pool.statistics().restarts, 0U);
  EXPECT_EQ(pool.decode(0, {}, bytes_of(scene_jpeg()))->status, RowStatus::kOk);
  EXPECT_EQ(pool.statistics().out_of_memory, 1U);
}

TEST(Budget, AFileLargerThanItIsRefusedUnread) {
  auto config = pool_config();
  config.memory = least_memory(1) + 10 * kMiB;
  WorkerPool pool(config);
  const auto room = pool.room(0, 100 * kMiB);
  EXPECT_EQ(room->status, RowStatus::kOutOfMemory);
  EXPECT_THAT(room->error, HasSubstr("100.0 MiB"));
  EXPECT_EQ(pool.room(0, 20 * kMiB)->bytes.size(), 20 * kMiB);
  EXPECT_EQ(pool.gate().held(), 4 * kMiB);
}

/// Large files claim before their pixels are known: they must not wait for each other.
TEST(Budget, LargeFilesSideBySideAllComeThrough) {
  const std::string& bytes = file_of("png-strip");
  constexpr int kWorkers = 3;
  auto config = pool_config(kWorkers);
  config.memory = least_memory(kWorkers) + 40 * kMiB;
  WorkerPool pool(config);
  std::vector<std::thread> threads;
  threads.reserve(kWorkers);
  for (int worker = 0; worker < kWorkers; ++worker) {
    threads.emplace_back([&, worker] {
      for (int i = 0; i < 2; ++i) EXPECT_EQ(pool.decode(worker, {}, bytes_of(bytes))->status, RowStatus::kOk);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(pool.gate().peak(), 25 * kMiB) << "only one at a time has room";
}

TEST(Budget, TheStripOfTheReportTakesLittleMoreThanItsPixels) {
  const auto file = test::shared_data() / "data" / "reports" / "tall-strip" / "strip-600x39000.png";
  QUASAR_REQUIRE_DATA(file);
  const auto bytes = base::read_file(file);
  auto config = pool_config();
  config.memory = least_memory(1) + 64 * kMiB;
  WorkerPool pool(config);
  EXPECT_EQ(pool.decode(0, {}, bytes_of(bytes))->status, RowStatus::kOk);
#if !defined(QUASAR_SANITIZED)
  EXPECT_LE(memory_of(pool.process(0), "VmHWM"), config.memory);
#endif
}

TEST(DistortionMemory, EveryKindTakesNoMoreThanEstimated) {
#if defined(QUASAR_SANITIZED)
  GTEST_SKIP() << "sanitizers change what memory is used";
#endif
  constexpr int kWidth = 1200;
  constexpr int kHeight = 900;
  const std::string bytes = scene_jpeg(kWidth, kHeight);
  const auto config = pool_config();
  MemoryNeed need;
  const image::Admission estimate = [&](const image::Header& header) {
    need = memory_need(header, config.spec, true);
    return false;
  };
  image::decode(bytes_of(bytes), {}, estimate);
  for (const auto& info : distort::distortion_table()) {
    WorkerPool pool(config);
    const auto idle = memory_of(pool.process(0), "VmRSS");
    const auto prepared =
        pool.decode(0, {.id = "a", .distortion = distort::Distortion{info.kind, 5, 1}}, bytes_of(bytes));
    EXPECT_EQ(prepared->status, RowStatus::kOk) << prepared->error;
    EXPECT_EQ(pool.statistics().restarts, 0U) << info.name;
    const auto taken = memory_of(pool.process(0), "VmHWM") - idle;
    if (std::getenv("QUASAR_PRINT_MEMORY") != nullptr)
      std::printf("%-22s estimated %4d MiB taken %4d MiB\n", std::string(info.name).c_str(),
                  static_cast<int>(need.own / kMiB), static_cast<int>(taken / kMiB));
    EXPECT_LE(taken, need.own + need.output + bytes.size()) << info.name;
  }
}

}  // namespace
}  // namespace quasar::decode
