// Owns small pictures of rows, for pages.
#pragma once

#include <cstddef>
#include <vector>

#include "dataset/data_set.h"
#include "pipeline/run_config.h"
#include "plot/page.h"

namespace quasar::pipeline {

/// Most bytes of a thumbnail.
inline constexpr std::size_t kThumbnailBytes = std::size_t{16} << 10U;

/// The pictures of some rows of the plan, as small JPEGs, decoded anew in worker processes from wherever
/// their bytes lie: `missing` says why there is none. `rows` need not be in order.
std::vector<plot::Thumbnail> thumbnails_of(const RunConfig& config, const dataset::DataSet& corpus,
                                           const std::vector<std::size_t>& rows);

}  // namespace quasar::pipeline
