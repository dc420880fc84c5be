// Owns the tensors of the golden cases of encoders, and how near to them a result must be.
#pragma once

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "encoder/checkpoint.h"
#include "support/encoder_golden.h"

namespace quasar::encoder {

/// Tolerances of the golden data for float32 (its README).
inline constexpr double kMaxDifference = 2e-5;
inline constexpr double kMaxAngle = 1e-10;

inline TensorMap golden_weights(const std::string& name) {
  const std::filesystem::path folder = test::encoder_golden_folder(name);
  const std::filesystem::path mixed = folder / "weights_fp16mixed.safetensors";
  return read_checkpoint(std::filesystem::exists(mixed) ? mixed : folder / "weights.safetensors").tensors;
}

inline TensorMap golden_values(const std::string& name) {
  return read_checkpoint(test::encoder_golden_folder(name) / "io.safetensors").tensors;
}

inline torch::Tensor golden_input_224() {
  return read_checkpoint(test::encoder_golden_folder("input_224.safetensors")).tensors.at("x224");
}

/// Rows agree within the tolerances; `most` where a case's README gives another for differences.
inline void expect_golden(const torch::Tensor& found, const torch::Tensor& expected, const std::string& what,
                          double most = kMaxDifference) {
  ASSERT_EQ(found.sizes(), expected.sizes()) << what;
  const double difference = (found - expected).abs().max().item<double>();
  EXPECT_LE(difference, most) << what;
  const torch::Tensor a = found.to(torch::kFloat64);
  const torch::Tensor b = expected.to(torch::kFloat64);
  const torch::Tensor cosine = (a * b).sum(1) / (a.norm(2, {1}, false) * b.norm(2, {1}, false));
  const double angle = 1.0 - cosine.min().item<double>();
  EXPECT_LE(angle, kMaxAngle) << what;
  ::testing::Test::RecordProperty("max_difference", std::to_string(difference));
}

}  // namespace quasar::encoder
