// Owns what stands in the place of an encoder where embeddings are imported: whose they are, and the vectors
// themselves.
#pragma once

#include "dataset/stored_vectors.h"
#include "encoder/encoder.h"
#include "encoder/encoder_config.h"

namespace quasar::pipeline {

/// Says of every picture that it cannot be encoded: its embedding is the vector of its id.
class ImportedEncoder final : public encoder::Encoder {
 public:
  /// Opens the files. Throws Error(kInput).
  explicit ImportedEncoder(const encoder::EncoderConfig& config);

  const dataset::StoredVectors& vectors() const { return vectors_; }

  int dimension() const override { return static_cast<int>(vectors_.dimension()); }
  const base::InputSpec& input_spec() const override { return input_; }
  /// Of the encoder's name alone: vectors of different files that one encoder has made are comparable.
  const base::EncoderIdentity& identity() const override { return identity_; }
  std::string device() const override { return "files"; }
  std::string computed_on() const override { return "imported"; }
  /// Throws Error(kConfig).
  void encode(const encoder::ImageBatch& batch, std::span<float> embeddings) override;
  encoder::WorkingMemory working_memory(int, int, int) const override { return {}; }
  int calls_at_once(int) const override { return 1; }

 private:
  dataset::StoredVectors vectors_;
  base::InputSpec input_;
  base::EncoderIdentity identity_;
};

}  // namespace quasar::pipeline
