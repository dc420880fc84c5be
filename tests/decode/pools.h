// Owns what the tests of the pool share: pictures, pools with misbehaving items, and a libvips to compare
// with.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "base/atomic_file.h"
#include "decode/worker_pool.h"
#include "distort/scenes.h"
#include "distort/write_image.h"
#include "image/vips_environment.h"
#include "support/test_data.h"

namespace quasar::decode {

inline const image::VipsEnvironment kVips;

inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A pool of this build's worker with hooks, to 64 px.
inline PoolConfig pool_config(int workers = 1) {
  PoolConfig config;
  config.spec.size = 64;
  config.workers = workers;
  config.program = QUASAR_DECODE_PROGRAM;
  return config;
}

/// Workers started while it lives do to these items what is said of them (support/hooks/poison_hook.cpp).
class Poison {
 public:
  explicit Poison(const std::string& setting) { ::setenv("QUASAR_TEST_POISON", setting.c_str(), 1); }
  ~Poison() { ::unsetenv("QUASAR_TEST_POISON"); }
  Poison(const Poison&) = delete;
  Poison& operator=(const Poison&) = delete;
};

/// A rendered scene as JPEG bytes.
inline std::string scene_jpeg(int width = 320, int height = 240) {
  const test::ScratchFolder folder;
  distort::write_jpeg(distort::render_scene(width, height, 5), folder / "scene.jpg", 90);
  return base::read_file(folder / "scene.jpg");
}

/// A size of /proc/PID/status ("VmRSS", "VmHWM"), bytes; 0 when the process is gone.
inline std::uint64_t memory_of(int process, const std::string& key) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10) << 10U;
  }
  return 0;
}

inline void expect_same(const image::Prepared& expected, const std::optional<image::Prepared>& got,
                        const std::string& name) {
  ASSERT_TRUE(got.has_value()) << name;
  EXPECT_EQ(base::status_name(got->status), base::status_name(expected.status)) << name << ": " << got->error;
  EXPECT_EQ(got->error, expected.error) << name;
  EXPECT_EQ(got->width, expected.width) << name;
  EXPECT_EQ(got->height, expected.height) << name;
  EXPECT_EQ(got->format, expected.format) << name;
  EXPECT_EQ(got->hashes, expected.hashes) << name;
  EXPECT_EQ(got->image.width, expected.image.width) << name;
  EXPECT_TRUE(got->image.pixels == expected.image.pixels) << name;
}

}  // namespace quasar::decode
