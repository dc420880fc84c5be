// What encode() is predicted to take, against what the process really takes: the peak of its resident memory
// during one call.
#include <gmock/gmock.h>
#include <malloc.h>
#include <torch/types.h>

#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "encoder/encoder_config.h"
#include "encoder/mini.h"
#include "encoder/network_factory.h"
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
  return std::make_unique<TorchEncoder>(std::move(network), spec, base::EncoderIdentity{}, torch::kCPU, type);
}

/// Libraries keep some blocks that are not of this call.
constexpr double kSlack = 16.0 * (1 << 20);

void expect_within_prediction(const std::string& name, std::unique_ptr<Network> network,
                              const std::vector<Batch>& batches) {
  const base::InputSpec native{.resize = base::ResizeRule::kNone};
  const auto encoder = with(std::move(network), native, torch::kFloat32);
  for (const Batch& batch : batches) {
    // The first call also fills what libraries keep for good.
    measured_bytes(*encoder, batch);
    const double measured = measured_bytes(*encoder, batch);
    const auto memory = encoder->working_memory(batch.count, batch.height, batch.width);
    const auto predicted = static_cast<double>(memory.host);
    const auto shape = name + " " + std::to_string(batch.count) + " x " + std::to_string(batch.height) +
                       " x " + std::to_string(batch.width);
    EXPECT_LE(measured, predicted + kSlack) << shape;
    EXPECT_LE(predicted, 4 * measured + 4 * kSlack) << shape;
    EXPECT_EQ(memory.device, 0U) << shape;
  }
}

TEST(WorkingMemory, OfMiniIsPredictedForEveryShape) {
  expect_within_prediction("mini", make_mini(random_mini_weights(1)),
                           {{1, 224, 224}, {8, 224, 224}, {1, 512, 512}, {1, 600, 3000}});
}

TEST(WorkingMemory, OfTransformersAndResNetsIsPredicted) {
  for (const std::string name :
       {"vit-b-32", "clip-rn50", "dinov2-vit-s-14", "dinov3-vit-s-16", "siglip2-vit-b-16-224"}) {
    expect_within_prediction(name, make_network(name, random_weights(name, 1)),
                             {{1, 224, 224}, {8, 224, 224}});
  }
}

TEST(WorkingMemory, GrowsWithTheArchitecture) {
  const base::InputSpec input;
  const auto bytes = [&](const std::string& name) {
    return with(make_network(name, random_weights(name, 1)), input, torch::kFloat32)
        ->working_memory(32, 224, 224)
        .host;
  };
  EXPECT_LT(bytes("vit-b-32"), bytes("vit-l-14"));
}

TEST(WorkingMemory, OfAShapeThatIsFarTooLargeIsANumberAllTheSame) {
  const auto encoder = with(make_mini(random_mini_weights(1)),
                            base::InputSpec{.resize = base::ResizeRule::kNone}, torch::kFloat32);
  const int most = std::numeric_limits<int>::max();
  EXPECT_GT(encoder->working_memory(most, most, most).host, std::uint64_t{1} << 60U);
}

}  // namespace
}  // namespace quasar::encoder
