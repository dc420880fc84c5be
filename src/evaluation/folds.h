// Owns the cut of rated pictures into folds, as the field's code makes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace quasar::evaluation {

/// A random order of 0..n-1: that of NumPy's RandomState(seed).permutation(n), n at most 2^32, which
/// published splits are made by (Mersenne twister, Fisher-Yates from the end, numbers drawn by masking and
/// rejection).
std::vector<std::size_t> random_order(std::size_t n, std::uint32_t seed);

/// The fold of each of n rows, "fold 1", "fold 2", ...: the random order cut into `folds` runs of n / folds
/// rows, of which the last takes what is left. Throws Error(kUsage) for more folds than rows, or fewer than
/// two.
std::vector<std::string> folds(std::size_t n, int folds, std::uint32_t seed);

}  // namespace quasar::evaluation
