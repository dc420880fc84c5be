// Owns measures of pictures that know nothing of anchors, in the place of an encoder, so that they are made,
// kept and continued as embeddings are: what an encoder with anchors has to be better than.
#pragma once

#include <string>
#include <vector>

#include "encoder/encoder.h"

namespace quasar::pipeline {

/// Of each picture, as it is decoded and not resized, two numbers: the bytes of its JPEG of kJpegQuality as
/// libvips writes it, and laplacian_variance().
class PictureStatistics final : public encoder::Encoder {
 public:
  static constexpr int kJpegQuality = 75;
  /// A statistic in the order of an embedding's values.
  struct Statistic {
    std::string name;  ///< "jpeg_bytes", ...
    std::string what;  ///< In a few words.
  };
  static std::vector<Statistic> statistics();

  PictureStatistics();

  int dimension() const override { return 2; }
  const base::InputSpec& input_spec() const override { return input_; }
  const base::EncoderIdentity& identity() const override { return identity_; }
  std::string device() const override { return "cpu"; }
  std::string computed_on() const override;
  void encode(const encoder::ImageBatch& batch, std::span<float> embeddings) override;
  encoder::WorkingMemory working_memory(int count, int height, int width) const override;
  int calls_at_once(int threads) const override { return threads; }

 private:
  base::InputSpec input_;
  base::EncoderIdentity identity_;
};

/// Variance of 4 g(x, y) - g(x - 1, y) - g(x + 1, y) - g(x, y - 1) - g(x, y + 1) over all pixels but those of
/// the border, g = 0.299 R + 0.587 G + 0.114 B of 8-bit values: the measure of focus of Pech-Pacheco,
/// Cristobal, Chamorro-Martinez and Fernandez-Valdivia, Diatom autofocusing in brightfield microscopy, ICPR
/// 2000 (LAP4 of Pertuz, Puig and Garcia, Pattern Recognition 46, 2013). `pixels`: [height, width, 3], at
/// least 3 x 3. Throws Error(kMismatch) for less.
double laplacian_variance(std::span<const std::uint8_t> pixels, int height, int width);

}  // namespace quasar::pipeline
