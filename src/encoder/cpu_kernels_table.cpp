#include "encoder/cpu_kernels_table.h"

#include <cstdint>
#include <cstring>

// Compiled once per instruction set, each time into the table that QUASAR_KERNELS names, in vectors of 16
// floats. Nothing but plain loops here: an inline function of another header, compiled for AVX-512 in one
// copy, could be the one that the linker keeps for all.

#define QUASAR_INLINED __attribute__((always_inline))
#define QUASAR_INLINE QUASAR_INLINED inline

namespace quasar::encoder::cpu {
namespace {

constexpr std::int64_t kLanes = 16;
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Words = std::uint32_t __attribute__((vector_size(kLanes * sizeof(std::uint32_t))));
using Halves = std::uint16_t __attribute__((vector_size(kLanes * sizeof(std::uint16_t))));

// Vectors are passed by reference: their calling convention differs between instruction sets.
QUASAR_INLINE void fill(float value, Floats& to) {
  to = value - Floats{};
}

QUASAR_INLINE void load(const float* from, Floats& to) {
  std::memcpy(&to, from, sizeof to);
}

QUASAR_INLINE void load(const std::uint16_t* from, Floats& to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const Words words = __builtin_convertvector(halves, Words) << 16U;
  std::memcpy(&to, &words, sizeof to);
}

QUASAR_INLINE void store(const Floats& from, float* to) {
  std::memcpy(to, &from, sizeof from);
}

QUASAR_INLINE void store(const Floats& from, std::uint16_t* to) {
  Words words;
  std::memcpy(&words, &from, sizeof words);
  // Round to nearest, ties to even; a NaN stays one.
  const Words rounded = (words + 0x7FFFU + ((words >> 16U) & 1U)) >> 16U;
  const Words chosen = (words & 0x7FFFFFFFU) > 0x7F800000U ? (words >> 16U) | 0x40U : rounded;
  const Halves halves = __builtin_convertvector(chosen, Halves);
  std::memcpy(to, &halves, sizeof halves);
}

template <typename T>
QUASAR_INLINE void load_some(const T* from, std::int64_t count, float padding, Floats& to) {
  T buffer[kLanes];
  Floats padded;
  fill(padding, padded);
  store(padded, buffer);
  std::memcpy(buffer, from, static_cast<std::size_t>(count) * sizeof(T));
  load(buffer, to);
}

template <typename T>
QUASAR_INLINE void store_some(const Floats& from, std::int64_t count, T* to) {
  T buffer[kLanes];
  store(from, buffer);
  std::memcpy(to, buffer, static_cast<std::size_t>(count) * sizeof(T));
}

/// Calls body(column, count) for every full vector and body for the rest; count is kLanes or less.
template <typename Body>
QUASAR_INLINE void for_columns(std::int64_t columns, const Body& body) {
  std::int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) body(i, kLanes);
  if (i < columns) body(i, columns - i);
}

template <typename T>
QUASAR_INLINE void load_lanes(const T* from, std::int64_t count, Floats& to, float padding = 0.0F) {
  if (count == kLanes) {
    load(from, to);
  } else {
    load_some(from, count, padding, to);
  }
}

template <typename T>
QUASAR_INLINE void store_lanes(const Floats& from, std::int64_t count, T* to) {
  if (count == kLanes) {
    store(from, to);
  } else {
    store_some(from, count, to);
  }
}

QUASAR_INLINE float sum_of(const Floats& lanes) {
  float sum = 0.0F;
  for (std::int64_t i = 0; i < kLanes; ++i) sum += lanes[i];
  return sum;
}

/// exp to about 1e-7 relative (Cephes' expf): 2^n times a polynomial. Below -87 it is 0, so that masked
/// scores leave no subnormal numbers, which are slow to multiply; above 88 it stays at exp(88).
QUASAR_INLINE void exponential(Floats& x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRoundToInteger = 12582912.0F;  // 1.5 * 2^23: adding it leaves the integer in the low bits.
  Floats lowest;
  Floats highest;
  fill(-87.0F, lowest);
  fill(88.0F, highest);
  const auto vanishes = x < lowest;
  x = vanishes ? lowest : x;
  x = x > highest ? highest : x;
  const Floats shifted = x * kLog2E + kRoundToInteger;
  const Floats n = shifted - kRoundToInteger;
  const Floats r = (x - n * kLn2High) - n * kLn2Low;
  Floats p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  Words bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  const Words power = (bits + 127U) << 23U;  // The magic number's own bits are shifted out.
  Floats scale;
  std::memcpy(&scale, &power, sizeof scale);
  x = vanishes ? Floats{} : p * scale;
}

/// x * Phi(x), with erf as the rational minimax function of TensorFlow and Eigen on [-4, 4].
QUASAR_INLINE void gelu(Floats& x) {
  constexpr float kSqrtHalf = 0.707106781F;
  Floats four;
  fill(4.0F, four);
  Floats z = x * kSqrtHalf;
  z = z > four ? four : z;
  z = z < -four ? -four : z;
  const Floats z2 = z * z;
  Floats p = z2 * -2.72614225801306e-10F + 2.77068142495902e-08F;
  p = p * z2 + -2.10102402082508e-06F;
  p = p * z2 + -5.69250639462346e-05F;
  p = p * z2 + -7.34990630326855e-04F;
  p = p * z2 + -2.95459980854025e-03F;
  p = p * z2 + -1.60960333262415e-02F;
  Floats q = z2 * -1.45660718464996e-05F + -2.13374055278905e-04F;
  q = q * z2 + -1.68282697438203e-03F;
  q = q * z2 + -7.37332916720468e-03F;
  q = q * z2 + -1.42647390514189e-02F;
  x = x * 0.5F * (1.0F + z * p / q);
}

/// GELU by tanh: 0.5 (1 + tanh u) is 1 / (1 + exp(-2 u)).
QUASAR_INLINE void gelu_tanh(Floats& x) {
  constexpr float kTwiceSqrtTwoByPi = 1.59576912F;
  Floats e = x * -kTwiceSqrtTwoByPi * (1.0F + 0.044715F * (x * x));
  exponential(e);
  x = x / (1.0F + e);
}

QUASAR_INLINE void silu(Floats& x) {
  Floats e = -x;
  exponential(e);
  x = x / (1.0F + e);
}

template <typename T>
void layer_norm(const float* x, std::int64_t rows, std::int64_t columns, const RowNorm& norm, T* out) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, out += columns) {
    Floats sums{};
    for_columns(columns, [&](std::int64_t i, std::int64_t count) QUASAR_INLINED {
      Floats v;
      load_lanes(x + i, count, v);
      sums += v;
    });
    const float mean = sum_of(sums) / static_cast<float>(columns);
    Floats squares{};
    for_columns(columns, [&](std::int64_t i, std::int64_t count) QUASAR_INLINED {
      Floats v;
      load_lanes(x + i, count, v, mean);
      v -= mean;
      squares += v * v;
    });
    const float scale = 1.0F / __builtin_sqrtf(sum_of(squares) / static_cast<float>(columns) + norm.epsilon);
    for_columns(columns, [&](std::int64_t i, std::int64_t count) QUASAR_INLINED {
      Floats v;
      Floats weight;
      Floats bias;
      load_lanes(x + i, count, v);
      load_lanes(norm.weight + i, count, weight);
      load_lanes(norm.bias + i, count, bias);
      v = (v - mean) * scale * weight + bias;
      store_lanes(v, count, out + i);
    });
  }
}

template <typename T>
void softmax(T* x, std::int64_t rows, std::int64_t columns, float scale) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns) {
    Floats highest;
    fill(-__builtin_inff(), highest);
    for_columns(columns, [&](std::int64_t i, std::int64_t count) QUASAR_INLINED {
      Floats v;
      load_lanes(x + i, count, v, -__builtin_inff());
      highest = v > highest ? v : highest;
    });
    float top = highest[0];
    for (std::int64_t i = 1; i < kLanes; ++i) top = highest[i] > top ? highest[i] : top;
    // The padding's exponentials are zeros.
    Floats sums{};
    for_columns(columns, [&](std::int64_t i, std::int64_t count) QUASAR_INLINED {
      Floats v;
      load_lanes(x + i, count, v, -__builtin_inff());
      v = (v - top) * scale;
      exponential(v);
      sums += v;
      store_lanes(v, count, x + i);
    });
    const float share = 1.0F / sum_of(sums);
    for_columns(columns, [&](std::int64_t i, std::int64_t count) QUASAR_INLINED {
      Floats v;
      load_lanes(x + i, count, v);
      v *= share;
      store_lanes(v, count, x + i);
    });
  }
}

template <typename T, typename Activation>
QUASAR_INLINE void activate_rows(T* x, std::int64_t rows, std::int64_t columns, const float* bias,
                                 const Activation& activation) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns) {
    for_columns(columns, [&](std::int64_t i, std::int64_t count) QUASAR_INLINED {
      Floats v;
      Floats b;
      load_lanes(x + i, count, v);
      load_lanes(bias + i, count, b);
      v += b;
      activation(v);
      store_lanes(v, count, x + i);
    });
  }
}

template <typename T>
void bias_swiglu(const T* x, std::int64_t rows, std::int64_t columns, const float* bias, T* out) {
  for (std::int64_t row = 0; row < rows; ++row, x += 2 * columns, out += columns) {
    for_columns(columns, [&](std::int64_t i, std::int64_t count) QUASAR_INLINED {
      Floats gate;
      Floats value;
      Floats b;
      load_lanes(x + i, count, gate);
      load_lanes(bias + i, count, b);
      gate += b;
      silu(gate);
      load_lanes(x + columns + i, count, value);
      load_lanes(bias + columns + i, count, b);
      value = gate * (value + b);
      store_lanes(value, count, out + i);
    });
  }
}

template <typename T>
void add_residual(const T* x, std::int64_t rows, std::int64_t columns, const float* bias, float* residual) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, residual += columns) {
    for_columns(columns, [&](std::int64_t i, std::int64_t count) QUASAR_INLINED {
      Floats v;
      Floats b;
      Floats r;
      load_lanes(x + i, count, v);
      load_lanes(bias + i, count, b);
      load_lanes(residual + i, count, r);
      r += v + b;
      store_lanes(r, count, residual + i);
    });
  }
}

template <typename T>
void bias_gelu(T* x, std::int64_t rows, std::int64_t columns, const float* bias) {
  activate_rows(x, rows, columns, bias, [](Floats& v) QUASAR_INLINED { gelu(v); });
}

template <typename T>
void bias_gelu_tanh(T* x, std::int64_t rows, std::int64_t columns, const float* bias) {
  activate_rows(x, rows, columns, bias, [](Floats& v) QUASAR_INLINED { gelu_tanh(v); });
}

template <typename T>
void bias_silu(T* x, std::int64_t rows, std::int64_t columns, const float* bias) {
  activate_rows(x, rows, columns, bias, [](Floats& v) QUASAR_INLINED { silu(v); });
}

template <typename T>
void add_moments(const T* x, std::int64_t count, float* sum, float* square) {
  for_columns(count, [&](std::int64_t i, std::int64_t lanes) QUASAR_INLINED {
    Floats v;
    Floats total;
    load_lanes(x + i, lanes, v);
    load_lanes(sum + i, lanes, total);
    total += v;
    store_lanes(total, lanes, sum + i);
    load_lanes(square + i, lanes, total);
    total += v * v;
    store_lanes(total, lanes, square + i);
  });
}

template <typename T>
void affine(const T* x, std::int64_t count, const float* shift, const float* factor, T* out) {
  for_columns(count, [&](std::int64_t i, std::int64_t lanes) QUASAR_INLINED {
    Floats v;
    Floats a;
    Floats b;
    load_lanes(x + i, lanes, v);
    load_lanes(shift + i, lanes, a);
    load_lanes(factor + i, lanes, b);
    v = a + b * v;
    store_lanes(v, lanes, out + i);
  });
}

constexpr std::int64_t kRampVectors = Ramps::kCount / kLanes;
static_assert(Ramps::kCount % kLanes == 0);

/// Vector v of the ramps at one pixel, not below 0.
QUASAR_INLINE void ramps_at(const float* pixel, const Ramps& ramps, std::int64_t v, Floats& value) {
  load(ramps.bias + v * kLanes, value);
  for (std::int64_t c = 0; c < 3; ++c) {
    Floats weight;
    load(ramps.weight + c * Ramps::kCount + v * kLanes, weight);
    value += weight * pixel[c];
  }
  value = value > 0.0F ? value : Floats{};
}

void add_ramp_moments(const float* pixels, std::int64_t count, const Ramps& ramps, float* sum,
                      float* square) {
  for (std::int64_t v = 0; v < kRampVectors; ++v) {
    Floats total;
    Floats total_square;
    load(sum + v * kLanes, total);
    load(square + v * kLanes, total_square);
    for (std::int64_t i = 0; i < count; ++i) {
      Floats value;
      ramps_at(pixels + 3 * i, ramps, v, value);
      total += value;
      total_square += value * value;
    }
    store(total, sum + v * kLanes);
    store(total_square, square + v * kLanes);
  }
}

void add_ramp_gradient(const float* pixels, std::int64_t count, const Ramps& ramps, const float* sum_gradient,
                       const float* square_gradient, float* gradient) {
  for (std::int64_t v = 0; v < kRampVectors; ++v) {
    Floats of_sum;
    Floats of_square;
    Floats total[4];
    load(sum_gradient + v * kLanes, of_sum);
    load(square_gradient + v * kLanes, of_square);
    for (std::int64_t c = 0; c < 4; ++c) load(gradient + c * Ramps::kCount + v * kLanes, total[c]);
    for (std::int64_t i = 0; i < count; ++i) {
      Floats value;
      ramps_at(pixels + 3 * i, ramps, v, value);
      Floats slope = of_sum + 2.0F * of_square * value;
      slope = value > 0.0F ? slope : Floats{};
      for (std::int64_t c = 0; c < 3; ++c) total[c] += slope * pixels[3 * i + c];
      total[3] += slope;
    }
    for (std::int64_t c = 0; c < 4; ++c) store(total[c], gradient + c * Ramps::kCount + v * kLanes);
  }
}

template <typename T>
constexpr KernelsOf<T> kernels_of() {
  return {layer_norm<T>,  softmax<T>,      bias_gelu<T>,   bias_gelu_tanh<T>, bias_silu<T>,
          bias_swiglu<T>, add_residual<T>, add_moments<T>, affine<T>};
}

}  // namespace

const Kernels QUASAR_KERNELS = {kernels_of<float>(), kernels_of<std::uint16_t>(), add_ramp_moments,
                                add_ramp_gradient};

}  // namespace quasar::encoder::cpu
