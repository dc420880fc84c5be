// Owns where the golden cases of encoders are found: kept in the repository, or with the shared test data.
#pragma once

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "encoder/checkpoint.h"
#include "support/test_data.h"

namespace quasar::encoder {

/// Tolerances of the golden data for float32 (its README).
inline constexpr double kMaxDifference = 2e-5;
inline constexpr double kMaxAngle = 1e-10;

inline std::filesystem::path golden_folder(const std::string& name) {
  const std::filesystem::path shared = test::shared_data() / "golden" / name;
  return std::filesystem::exists(shared) ? shared : test::test_file("golden/encoders") / name;
}

inline TensorMap golden_weights(const std::string& name) {
  const std::filesystem::path folder = golden_folder(name);
  const std::filesystem::path mixed = folder / "weights_fp16mixed.safetensors";
  return read_checkpoint(std::filesystem::exists(mixed) ? mixed : folder / "weights.safetensors").tensors;
}

inline TensorMap golden_values(const std::string& name) {
  return read_checkpoint(golden_folder(name) / "io.safetensors").tensors;
}

inline torch::Tensor golden_input_224() {
  return read_checkpoint(golden_folder("input_224.safetensors")).tensors.at("x224");
}

/// Rows agree within the tolerances.
inline void expect_golden(const torch::Tensor& found, const torch::Tensor& expected,
                          const std::string& what) {
  ASSERT_EQ(found.sizes(), expected.sizes()) << what;
  const double difference = (found - expected).abs().max().item<double>();
  EXPECT_LE(difference, kMaxDifference) << what;
  const torch::Tensor a = found.to(torch::kFloat64);
  const torch::Tensor b = expected.to(torch::kFloat64);
  const torch::Tensor cosine = (a * b).sum(1) / (a.norm(2, {1}, false) * b.norm(2, {1}, false));
  const double angle = 1.0 - cosine.min().item<double>();
  EXPECT_LE(angle, kMaxAngle) << what;
  ::testing::Test::RecordProperty("max_difference", std::to_string(difference));
}

}  // namespace quasar::encoder
