// Owns a full-reference measure of how far a degraded picture is from its original, as people see it.
#pragma once

#include "image/raster.h"

namespace quasar::distort {

/// Mean deviation similarity index of two pictures of the same size: 0 for equal ones, larger for worse.
/// Gradient and chromaticity similarity, pooled by their deviation (Nafchi et al. 2016, "Mean Deviation
/// Similarity Index: Efficient and Reliable Full-Reference Image Quality Evaluator", eqs. 3-11, with the
/// authors' constants). Throws Error(kMismatch) when the sizes differ.
double mean_deviation_similarity(const image::RgbImage& reference, const image::RgbImage& degraded);

}  // namespace quasar::distort
