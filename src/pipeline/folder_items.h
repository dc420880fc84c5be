// Owns the choice of pictures out of a folder that is no run's corpus.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "corpus/item.h"

namespace quasar::pipeline {

/// The pictures below a folder, by its sorted names, as a corpus lists them. Throws Error(kInput) for one
/// that cannot be read.
std::vector<corpus::Item> items_of_folder(const std::filesystem::path& folder);

/// `wanted` places of 0..n, evenly spread, ascending; all where there are no more.
std::vector<std::size_t> spread_evenly(std::size_t n, int wanted);

}  // namespace quasar::pipeline
