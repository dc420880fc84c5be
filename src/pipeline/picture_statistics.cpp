#include "pipeline/picture_statistics.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "base/checksum.h"
#include "base/errors.h"
#include "distort/write_image.h"
#include "image/vips_environment.h"

namespace quasar::pipeline {
namespace {

/// The Laplacian needs a pixel on every side.
constexpr int kMinSide = 3;

/// A row of grey values, in thousandths.
void grey_row(std::span<const std::uint8_t> pixels, std::size_t width, std::size_t y,
              std::vector<std::int64_t>& grey) {
  const auto row = pixels.subspan(y * width * 3, width * 3);
  for (std::size_t x = 0; x < width; ++x)
    grey[x] = 299 * row[3 * x] + 587 * row[3 * x + 1] + 114 * row[3 * x + 2];
}

}  // namespace

std::vector<PictureStatistics::Statistic> PictureStatistics::statistics() {
  return {
      {"jpeg_bytes", fmt::format("bytes of the picture as a JPEG of quality {} (libvips)", kJpegQuality)},
      {"laplacian_variance", "variance of the Laplacian of the grey picture (Pech-Pacheco et al., 2000)"}};
}

PictureStatistics::PictureStatistics() {
  input_.resize = base::ResizeRule::kNone;
  input_.center_crop = false;
  input_.min_side = kMinSide;
  identity_.architecture = "picture statistics";
  // What stands for weights: the formulae.
  std::string formulae;
  for (const auto& [name, what] : statistics()) formulae += name + ": " + what + "\n";
  identity_.weights_sha256 = base::sha256_hex(formulae);
  identity_.preprocessing = base::describe(input_);
  identity_.dtype = "float32";
}

std::string PictureStatistics::computed_on() const {
  return "libvips " + image::vips_library_version();
}

void PictureStatistics::encode(const encoder::ImageBatch& batch, std::span<float> embeddings) {
  const auto bytes =
      static_cast<std::size_t>(batch.height) * static_cast<std::size_t>(batch.width) * std::size_t{3};
  for (int i = 0; i < batch.count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto pixels = batch.pixels.subspan(at * bytes, bytes);
    image::RgbImage picture(batch.width, batch.height);
    picture.pixels.assign(pixels.begin(), pixels.end());
    embeddings[2 * at] = static_cast<float>(distort::jpeg_bytes(picture, kJpegQuality).size());
    embeddings[2 * at + 1] = static_cast<float>(laplacian_variance(pixels, batch.height, batch.width));
  }
}

encoder::WorkingMemory PictureStatistics::working_memory(int /*count*/, int height, int width) const {
  // A copy of the pixels, the JPEG, which noise makes as large as they are, and libvips' buffers of rows.
  constexpr std::uint64_t kBuffers = std::uint64_t{8} << 20U;
  const auto pixels = static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width);
  return {3 * 3 * pixels + kBuffers, 0};
}

double laplacian_variance(std::span<const std::uint8_t> pixels, int height, int width) {
  if (height < kMinSide || width < kMinSide ||
      pixels.size() != static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3) {
    base::fail(base::ExitCode::kMismatch,
               fmt::format("the Laplacian of {} x {} pixels ({} bytes): there have to be 3 x 3, of 3 bytes",
                           width, height, pixels.size()));
  }
  const auto w = static_cast<std::size_t>(width);
  std::array<std::vector<std::int64_t>, 3> grey;
  for (auto& row : grey) row.resize(w);
  grey_row(pixels, w, 0, grey[0]);
  grey_row(pixels, w, 1, grey[1]);
  // Whole numbers within a row, so that the order of sums is no matter: a row of 2^24 pixels still fits.
  double sum = 0;
  double squares = 0;
  for (std::size_t y = 1; y + 1 < static_cast<std::size_t>(height); ++y) {
    const auto& above = grey[(y - 1) % 3];
    const auto& here = grey[y % 3];
    auto& below = grey[(y + 1) % 3];
    grey_row(pixels, w, y + 1, below);
    std::int64_t row_sum = 0;
    std::uint64_t row_squares = 0;
    for (std::size_t x = 1; x + 1 < w; ++x) {
      const std::int64_t value = 4 * here[x] - here[x - 1] - here[x + 1] - above[x] - below[x];
      row_sum += value;
      row_squares += static_cast<std::uint64_t>(value * value);
    }
    sum += static_cast<double>(row_sum);
    squares += static_cast<double>(row_squares);
  }
  constexpr double kUnit = 1000;
  const double count = static_cast<double>(w - 2) * static_cast<double>(height - 2);
  const double mean = sum / count;
  return (squares / count - mean * mean) / (kUnit * kUnit);
}

}  // namespace quasar::pipeline
