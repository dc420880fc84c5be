// Owns the conversion between float32 and IEEE 754 binary16, the storage type of embeddings that save space.
#pragma once

#include <bit>
#include <cstdint>

namespace quasar::store {

/// To the nearest binary16, ties to even; beyond 65504 to infinity; NaN stays NaN.
constexpr std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16U) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (magnitude >= 0x47800000U) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x33000000U) return sign;
  if (magnitude < 0x38800000U) {
    // Subnormal: the significand, hidden bit included, is shifted right with rounding.
    const std::uint32_t shift = 126U - (magnitude >> 23U);
    const std::uint32_t significand = (magnitude & 0x7FFFFFU) | 0x800000U;
    const std::uint32_t kept = significand >> shift;
    const std::uint32_t rest = significand & ((1U << shift) - 1U);
    const std::uint32_t halfway = 1U << (shift - 1U);
    const std::uint32_t up = rest > halfway || (rest == halfway && (kept & 1U) != 0U) ? 1U : 0U;
    return static_cast<std::uint16_t>(sign | (kept + up));
  }
  // A carry out of the significand rightly raises the exponent, up to infinity.
  const std::uint32_t rounded = magnitude - 0x38000000U + 0xFFFU + ((magnitude >> 13U) & 1U);
  return static_cast<std::uint16_t>(sign | (rounded >> 13U));
}

/// Exact.
constexpr float from_half(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t exponent = (half >> 10U) & 0x1FU;
  const std::uint32_t significand = half & 0x3FFU;
  if (exponent == 0x1FU) return std::bit_cast<float>(sign | 0x7F800000U | (significand << 13U));
  if (exponent != 0U) return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (significand << 13U));
  const float value = static_cast<float>(significand) * 0x1.0p-24F;
  return sign != 0U ? -value : value;
}

}  // namespace quasar::store
