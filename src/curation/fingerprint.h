// Owns what rows are compared by in a search for duplicates, and the ways in which they may be alike.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "cluster/row_source.h"

namespace quasar::curation {

/// By what a row is like the one that is kept.
enum class Likeness : std::uint8_t { kNone, kExact, kPerceptual, kCosine };

/// The number of a row whose embedding is not known.
inline constexpr std::uint64_t kNoVector = UINT64_MAX;

/// What a row is compared by.
struct Fingerprint {
  std::string_view bytes_hash;       ///< xxh128, 32 digits; empty: unknown.
  std::string_view picture;          ///< PDQ, 64 digits, or eight times 64; empty: unknown.
  int quality = -1;                  ///< Of PDQ.
  std::uint64_t vector = kNoVector;  ///< Number of its embedding.
};

/// Gives the embeddings of these numbers, ascending, on whatever rank; the same dimension for any.
using VectorsOf = std::function<std::unique_ptr<cluster::RowSource>(std::vector<std::uint64_t> numbers)>;

}  // namespace quasar::curation
