// Internal to the module: owns the file of a run's hierarchy of clusters, so that a ranking of the same rows
// need not cluster them again.
//
// Layout, in the machine's byte order: magic; identity (32 hexadecimal digits); dimension, number of levels
// and of rows, and clusters of each level (uint64); centroids [k, d] float32 of each level; parents [k] int32
// of each level but the last; level-1 cluster of each row, in the order of the plan, int32; and the xxh128 of
// all before (32 hexadecimal digits).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cluster/hierarchy.h"
#include "comm/communicator.h"

namespace quasar::curation {

/// Writes what all ranks have: their labels one after the other. `identity`: 32 digits that tell these rows
/// and settings from others. Collective. Throws Error(kOutput).
void write_hierarchy(const std::filesystem::path& path, const std::string& identity, std::size_t dimension,
                     const cluster::Hierarchy& hierarchy, const comm::Communicator& comm);

/// The hierarchy, with the labels of the `rows` rows of this rank; nothing when there is no such file, or it
/// is of other rows or settings, or, which is logged, it is damaged. Collective.
std::optional<cluster::Hierarchy> read_hierarchy(const std::filesystem::path& path,
                                                 const std::string& identity, std::size_t rows,
                                                 const comm::Communicator& comm);

}  // namespace quasar::curation
