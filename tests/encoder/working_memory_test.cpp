// What encode() is predicted to take, against what the process really takes: the peak of its resident memory
// during one call.
#include <gmock/gmock.h>
#include <malloc.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/allocator.h"
#include "encoder/encoder_config.h"
#include "encoder/golden_case.h"
#include "encoder/mini.h"
#include "encoder/network.h"
#include "encoder/random_weights.h"
#include "encoder/torch_encoder.h"

namespace quasar::encoder {
namespace {

/// Bytes of a line of /proc/self/status.
double status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kibibytes = 0.0;
    if (word == key + ":" && status >> kibibytes) return 1024.0 * kibibytes;
  }
  return 0.0;
}

/// Sets VmHWM to what is resident now. False where the system does not let us.
bool forget_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

struct Batch {
  int count;
  int height;
  int width;
};

/// Bytes by which resident memory grows at its peak in one call.
double measured_bytes(Encoder& encoder, const Batch& batch) {
  const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(batch.count) *
                                             static_cast<std::size_t>(batch.height) *
                                             static_cast<std::size_t>(batch.width) * 3,
                                         128);
  std::vector<float> rows(static_cast<std::size_t>(batch.count) *
                          static_cast<std::size_t>(encoder.dimension()));
  ::malloc_trim(0);
  EXPECT_TRUE(forget_peak());
  const double before = status_bytes("VmRSS");
  std::thread([&] { encoder.encode({batch.count, batch.height, batch.width, pixels}, rows); }).join();
  return status_bytes("VmHWM") - before;
}

std::unique_ptr<Encoder> with(std::unique_ptr<Network> network, base::InputSpec spec,
                              torch::ScalarType type) {
  return std::make_unique<TorchEncoder>(std::move(network), spec, Fingerprint{}, torch::kCPU, type);
}

TEST(WorkingMemory, Table) {
  const char* names = std::getenv("NAMES");
  const char* dtype = std::getenv("DTYPE");
  const torch::ScalarType type = dtype ? torch::kBFloat16 : torch::kFloat32;
  std::istringstream list(names ? names : "mini vit-b-32 clip-rn50 clip-rn50-nopos dinov2-vit-s-14 vit-l-14");
  base::InputSpec native{.resize = base::ResizeRule::kNone};
  for (std::string name; list >> name;) {
    auto network =
        name == "mini" ? make_mini(random_mini_weights(1)) : make_network(name, random_weights(name, 1));
    const bool fixed = name.rfind("vit", 0) == 0 || name.rfind("coca", 0) == 0;
    const auto encoder = with(std::move(network), native, type);
    std::vector<Batch> batches = {{1, 224, 224}, {8, 224, 224}, {32, 224, 224}};
    if (!fixed) {
      const int g = 14;
      batches.insert(batches.end(),
                     {{1, 512 / g * g, 512 / g * g}, {1, 600 / g * g, 3000 / g * g}, {4, 504, 756}});
    }
    for (const Batch& b : batches) {
      const double first = measured_bytes(*encoder, b);
      const double second = measured_bytes(*encoder, b);
      const double predicted = static_cast<double>(encoder->working_memory(b.count, b.height, b.width).host);
      const double M = 1048576.0;
      std::printf(
          "%-18s %3d x %4d x %4d  first %8.1f second %8.1f predicted %8.1f ratio %.2f  excess-now %.1f\n",
          name.c_str(), b.count, b.height, b.width, first / M, second / M, predicted / M, predicted / second,
          (second - predicted) / M);
      std::fflush(stdout);
    }
  }
}

}  // namespace
}  // namespace quasar::encoder
