#include "encoder/mini_pooling.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/errors.h"
#include "encoder/cpu_kernels.h"

namespace quasar::encoder {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Kept away from 0 before a logarithm: activations span orders of magnitude between flat and noisy pictures.
constexpr double kMeanFloor = 1e-3;
constexpr double kVarianceFloor = 1e-5;
constexpr double kFourthFloor = 1e-10;
constexpr double kToneFloor = 1e-4;
constexpr double kToneSquareFloor = 1e-6;

struct Shape {
  std::int64_t n, c, h, w, side;

  Shape(const torch::Tensor& x, std::int64_t region)
      : n(x.size(0)), c(x.size(1)), h(x.size(2)), w(x.size(3)), side(region) {}

  std::int64_t rows() const { return h / side; }
  std::int64_t columns() const { return w / side; }
  std::int64_t regions() const { return rows() * columns(); }
  std::int64_t picture() const { return h * w * c; }

  /// Calls visit(offset of the first element, pixels in a row, rows, number of the region or -1) for each
  /// block of side x side, also those cut off by the edge, of a picture [h, w, c].
  template <typename Visit>
  void for_blocks(const Visit& visit) const {
    for (std::int64_t y = 0; y < h; y += side) {
      for (std::int64_t x = 0; x < w; x += side) {
        const bool whole = y + side <= h && x + side <= w;
        visit((y * w + x) * c, std::min(side, w - x), std::min(side, h - y),
              whole ? (y / side) * columns() + x / side : -1);
      }
    }
  }
};

template <typename T>
const cpu::KernelsOf<T>& kernels_of();
template <>
const cpu::KernelsOf<float>& kernels_of() {
  return cpu::fastest_kernels().of_float;
}
template <>
const cpu::KernelsOf<std::uint16_t>& kernels_of() {
  return cpu::fastest_kernels().of_bfloat16;
}

/// Moments of one picture [h, w, c]: mean and mean square [c], and the means of the regions [regions, c].
template <typename T>
void picture_moments(const T* x, const Shape& shape, float* mean, float* square, float* region_means) {
  const auto& kernels = kernels_of<T>();
  const auto c = static_cast<std::size_t>(shape.c);
  std::vector<float> row_sum(static_cast<std::size_t>(shape.side) * c);
  std::vector<float> row_square(row_sum.size());
  std::vector<double> sum(c, 0);
  std::vector<double> sum_square(c, 0);
  shape.for_blocks([&](std::int64_t at, std::int64_t width, std::int64_t height, std::int64_t region) {
    std::fill(row_sum.begin(), row_sum.end(), 0.0F);
    std::fill(row_square.begin(), row_square.end(), 0.0F);
    for (std::int64_t y = 0; y < height; ++y) {
      kernels.add_moments(x + at + y * shape.w * shape.c, width * shape.c, row_sum.data(), row_square.data());
    }
    for (std::size_t p = 1; p < static_cast<std::size_t>(width); ++p) {
      for (std::size_t i = 0; i < c; ++i) {
        row_sum[i] += row_sum[p * c + i];
        row_square[i] += row_square[p * c + i];
      }
    }
    for (std::size_t i = 0; i < c; ++i) {
      sum[i] += row_sum[i];
      sum_square[i] += row_square[i];
    }
    if (region >= 0) {
      const float pixels = static_cast<float>(shape.side * shape.side);
      for (std::size_t i = 0; i < c; ++i)
        region_means[region * shape.c + static_cast<std::int64_t>(i)] = row_sum[i] / pixels;
    }
  });
  const auto pixels = static_cast<double>(shape.h * shape.w);
  for (std::size_t i = 0; i < c; ++i) {
    mean[i] = static_cast<float>(sum[i] / pixels);
    square[i] = static_cast<float>(sum_square[i] / pixels);
  }
}

/// Gradient of one picture: out = shift + factor * x, where the shift also has its region's part.
template <typename T>
void picture_gradient(const T* x, const Shape& shape, const float* shift, const float* factor,
                      const float* region_shift, T* out) {
  const auto& kernels = kernels_of<T>();
  const auto c = static_cast<std::size_t>(shape.c);
  std::vector<float> row_shift(static_cast<std::size_t>(shape.side) * c);
  std::vector<float> row_factor(row_shift.size());
  for (std::size_t i = 0; i < row_factor.size(); ++i) row_factor[i] = factor[i % c];
  shape.for_blocks([&](std::int64_t at, std::int64_t width, std::int64_t height, std::int64_t region) {
    for (std::size_t i = 0; i < c; ++i) {
      row_shift[i] =
          shift[i] + (region < 0 ? 0.0F : region_shift[region * shape.c + static_cast<std::int64_t>(i)]);
    }
    for (std::size_t i = c; i < static_cast<std::size_t>(width) * c; ++i) row_shift[i] = row_shift[i - c];
    for (std::int64_t y = 0; y < height; ++y) {
      const std::int64_t row = at + y * shape.w * shape.c;
      kernels.affine(x + row, width * shape.c, row_shift.data(), row_factor.data(), out + row);
    }
  });
}

/// Calls with(pointer to the data as the kernels take it).
template <typename With>
void with_data(const torch::Tensor& x, const With& with) {
  if (x.scalar_type() == torch::kFloat32) {
    with(x.data_ptr<float>());
  } else {
    QUASAR_CHECK(x.scalar_type() == torch::kBFloat16);
    with(static_cast<std::uint16_t*>(x.data_ptr()));
  }
}

/// [c] or [regions, c] of each picture -> the four numbers per channel.
torch::Tensor logarithms(const torch::Tensor& mean, const torch::Tensor& square,
                         const torch::Tensor& regions) {
  // The mean of fourth powers lets the few regions with local damage stand out of a whole picture, and unlike
  // the maximum it does not grow with the picture's size. The mean of logarithms is led by the smooth
  // regions, where noise and banding are not hidden by texture.
  return at::cat(
      {at::log(mean + kMeanFloor), 0.5 * at::log(at::clamp_min(square - mean.square(), 0) + kVarianceFloor),
       0.25 * at::log(regions.square().square().mean(1) + kFourthFloor),
       at::log(regions + kMeanFloor).mean(1)},
      1);
}

/// Moments of pictures x [n, c, h, w]: mean and mean square [n, c], and the means of the regions
/// [n, regions, c]; all float32.
struct Moments {
  torch::Tensor mean;
  torch::Tensor square;
  torch::Tensor regions;
};

/// x without what belongs to no region, as [n, c, rows, side, columns, side].
torch::Tensor whole_regions(const torch::Tensor& x, const Shape& shape) {
  return x.slice(2, 0, shape.rows() * shape.side)
      .slice(3, 0, shape.columns() * shape.side)
      .view({shape.n, shape.c, shape.rows(), shape.side, shape.columns(), shape.side});
}

/// On the CPU one pass by the kernels; elsewhere LibTorch's reductions, which add up in float32 whatever the
/// type of x is and write nothing of its size.
Moments moments(const torch::Tensor& x, const Shape& shape) {
  if (!x.is_cpu()) {
    return {x.mean({2, 3}, false, torch::kFloat32),
            at::linalg_vector_norm(x, 2, {2, 3}, false, torch::kFloat32).square() /
                static_cast<double>(shape.h * shape.w),
            whole_regions(x, shape).mean({3, 5}, false, torch::kFloat32).flatten(2).transpose(1, 2)};
  }
  Moments result{at::empty({shape.n, shape.c}, torch::kFloat32),
                 at::empty({shape.n, shape.c}, torch::kFloat32),
                 at::empty({shape.n, shape.regions(), shape.c}, torch::kFloat32)};
  with_data(x, [&](auto* data) {
    at::parallel_for(0, shape.n, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        picture_moments(data + i * shape.picture(), shape, result.mean.data_ptr<float>() + i * shape.c,
                        result.square.data_ptr<float>() + i * shape.c,
                        result.regions.data_ptr<float>() + i * shape.regions() * shape.c);
      }
    });
  });
  return result;
}

/// shift [n, c] + factor [n, c] * x, where within a region region_shift [n, regions, c] is added; as x.
torch::Tensor affine(const torch::Tensor& x, const Shape& shape, const torch::Tensor& shift,
                     const torch::Tensor& factor, const torch::Tensor& region_shift) {
  torch::Tensor result = at::empty_like(x);
  if (!x.is_cpu()) {
    const auto per_channel = [&](const torch::Tensor& values) {
      return values.view({shape.n, shape.c, 1, 1}).to(x.scalar_type());
    };
    at::addcmul_out(result, per_channel(shift), per_channel(factor), x);
    whole_regions(result, shape)
        .add_(region_shift.transpose(1, 2)
                  .reshape({shape.n, shape.c, shape.rows(), 1, shape.columns(), 1})
                  .to(x.scalar_type()));
    return result;
  }
  with_data(x, [&](auto* data) {
    auto* const out = static_cast<decltype(data)>(result.data_ptr());
    at::parallel_for(0, shape.n, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        picture_gradient(data + i * shape.picture(), shape, shift.data_ptr<float>() + i * shape.c,
                         factor.data_ptr<float>() + i * shape.c,
                         region_shift.data_ptr<float>() + i * shape.regions() * shape.c,
                         out + i * shape.picture());
      }
    });
  });
  return result;
}

struct PoolChannels : public torch::autograd::Function<PoolChannels> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& given, std::int64_t side) {
    const torch::Tensor x = given.contiguous(at::MemoryFormat::ChannelsLast);
    const Moments found = moments(x, Shape(x, side));
    context->save_for_backward({x, found.mean, found.square, found.regions});
    context->saved_data["side"] = side;
    return logarithms(found.mean, found.square, found.regions);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor& x = saved[0];
    const torch::Tensor& mean = saved[1];
    const torch::Tensor& regions = saved[3];
    const Shape shape(x, context->saved_data["side"].toInt());
    const auto parts = gradients[0].to(torch::kFloat32).split(shape.c, 1);
    const auto pixels = static_cast<double>(shape.h * shape.w);
    const torch::Tensor variance = saved[2] - mean.square();
    const torch::Tensor of_variance =
        parts[1] * 0.5 * (variance >= 0) / (at::clamp_min(variance, 0) + kVarianceFloor);
    const torch::Tensor factor = (of_variance * (2 / pixels)).contiguous();
    const torch::Tensor shift = (parts[0] / (mean + kMeanFloor) / pixels - factor * mean).contiguous();
    const torch::Tensor cube = regions * regions.square();
    const torch::Tensor fourth = (cube * regions).mean(1) + kFourthFloor;
    const torch::Tensor region_shift =
        (((parts[2] / fourth).unsqueeze(1) * cube + parts[3].unsqueeze(1) / (regions + kMeanFloor)) /
         static_cast<double>(shape.regions() * shape.side * shape.side))
            .contiguous();
    return {affine(x, shape, shift, factor, region_shift), torch::Tensor()};
  }
};

/// Mean and mean square [n, t] of the ramps -> what is kept of them.
torch::Tensor tone_logarithms(const torch::Tensor& mean, const torch::Tensor& square) {
  return at::cat({at::log(mean + kToneFloor), at::log(square + kToneSquareFloor)}, 1);
}

/// Pixels that the kernels add up in float32 before the sum goes on in float64.
constexpr std::int64_t kChunk = 512;

struct PoolTones : public torch::autograd::Function<PoolTones> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& thinned,
                               const torch::Tensor& weight, const torch::Tensor& bias) {
    constexpr auto kTones = cpu::Ramps::kCount;
    QUASAR_CHECK(weight.size(0) == kTones && weight.size(1) == 3 && bias.size(0) == kTones);
    const torch::Tensor by_channel = weight.t().contiguous();
    const torch::Tensor offsets = bias.contiguous();
    const cpu::Ramps ramps{by_channel.data_ptr<float>(), offsets.data_ptr<float>()};
    const std::int64_t n = thinned.size(0);
    const std::int64_t pixels = thinned.size(1);
    torch::Tensor moments = at::empty({n, 2 * kTones}, torch::kFloat32);
    at::parallel_for(0, n, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        std::vector<double> total(2 * kTones, 0);
        for (std::int64_t p = 0; p < pixels; p += kChunk) {
          std::vector<float> some(2 * kTones, 0.0F);
          cpu::fastest_kernels().add_ramp_moments(thinned.data_ptr<float>() + 3 * (i * pixels + p),
                                                  std::min(kChunk, pixels - p), ramps, some.data(),
                                                  some.data() + kTones);
          for (std::size_t t = 0; t < total.size(); ++t) total[t] += some[t];
        }
        float* const to = moments.data_ptr<float>() + i * 2 * kTones;
        for (std::size_t t = 0; t < total.size(); ++t) {
          to[t] = static_cast<float>(total[t] / static_cast<double>(pixels));
        }
      }
    });
    context->save_for_backward({thinned, by_channel, offsets, moments});
    const auto parts = moments.split(kTones, 1);
    return tone_logarithms(parts[0], parts[1]);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    constexpr auto kTones = cpu::Ramps::kCount;
    const auto saved = context->get_saved_variables();
    const torch::Tensor& thinned = saved[0];
    const cpu::Ramps ramps{saved[1].data_ptr<float>(), saved[2].data_ptr<float>()};
    const std::int64_t n = thinned.size(0);
    const std::int64_t pixels = thinned.size(1);
    const auto parts = saved[3].split(kTones, 1);
    const auto given = gradients[0].split(kTones, 1);
    const torch::Tensor of_sum =
        (given[0] / (parts[0] + kToneFloor) / static_cast<double>(pixels)).contiguous();
    const torch::Tensor of_square =
        (given[1] / (parts[1] + kToneSquareFloor) / static_cast<double>(pixels)).contiguous();
    torch::Tensor total = at::zeros({n, 4, kTones}, torch::kFloat64);
    at::parallel_for(0, n, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        double* const to = total.data_ptr<double>() + i * 4 * kTones;
        for (std::int64_t p = 0; p < pixels; p += kChunk) {
          std::vector<float> some(4 * kTones, 0.0F);
          cpu::fastest_kernels().add_ramp_gradient(
              thinned.data_ptr<float>() + 3 * (i * pixels + p), std::min(kChunk, pixels - p), ramps,
              of_sum.data_ptr<float>() + i * kTones, of_square.data_ptr<float>() + i * kTones, some.data());
          for (std::size_t t = 0; t < some.size(); ++t) to[t] += some[t];
        }
      }
    });
    const torch::Tensor gradient = total.sum(0).to(torch::kFloat32);
    return {torch::Tensor(), gradient.slice(0, 0, 3).t().contiguous(), gradient[3]};
  }
};

torch::Tensor thin(const torch::Tensor& pixels) {
  return pixels.slice(2, 0, pixels.size(2), 2).slice(3, 0, pixels.size(3), 2).to(torch::kFloat32);
}

}  // namespace

torch::Tensor pool_channels(const torch::Tensor& x, std::int64_t side) {
  QUASAR_CHECK(x.size(2) >= side && x.size(3) >= side);
  return PoolChannels::apply(x, side);
}

torch::Tensor pool_tones(const torch::Tensor& pixels, const torch::Tensor& weight,
                         const torch::Tensor& bias) {
  if (!pixels.is_cpu()) return pool_tones_by_operators(pixels, weight, bias);
  return PoolTones::apply(thin(pixels).permute({0, 2, 3, 1}).flatten(1, 2).contiguous(), weight, bias);
}

torch::Tensor pool_tones_by_operators(const torch::Tensor& pixels, const torch::Tensor& weight,
                                      const torch::Tensor& bias) {
  // A product, as oneDNN 2.6 writes outside its memory in the gradient of a 1x1 convolution with a stride.
  const torch::Tensor ramps = at::relu(at::matmul(weight, thin(pixels).flatten(2)) + bias.unsqueeze(1));
  return tone_logarithms(ramps.mean(2), ramps.square().mean(2));
}

}  // namespace quasar::encoder
