// Owns RUN/embeddings.h5: one file through which h5py sees all shards as one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace quasar::store {

/// Writes a file whose datasets embedding, id, status, label, hash and source are virtual ones over those of
/// the shards, in order; paths inside it are relative, so that the run directory can be moved. Of the shards
/// it reads the headers alone, Integrity::kUnchecked. Throws Error(kInput) when they differ in dimension or
/// type, Error(kOutput).
void write_virtual_dataset(const std::filesystem::path& path,
                           const std::vector<std::filesystem::path>& shards);

/// Whether such a file is there, undamaged and over so many rows. Looks at no shard.
bool is_virtual_dataset_of(const std::filesystem::path& path, std::uint64_t rows);

}  // namespace quasar::store
