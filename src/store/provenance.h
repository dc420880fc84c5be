// Internal to the module: the attributes that every file of ours carries.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "store/embedding_shard.h"
#include "store/h5.h"
#include "store/schema.h"

namespace quasar::store {

/// Kind of file, schema and software version.
void write_provenance(h5::File& file, const Schema& schema);
/// The version of the file's schema. Throws Error(kInput) unless the file is of this kind and of a version
/// that this software reads.
std::int64_t check_provenance(const h5::File& file, const std::filesystem::path& path, const Schema& schema);

void write_encoder(h5::File& file, const base::EncoderIdentity& encoder);
base::EncoderIdentity read_encoder(const h5::File& file);

/// The dataset of a file that is most of it, as it is stored; it gets no say in the checksum of the rows.
struct VectorData {
  std::string name;
  std::span<const std::byte> bytes;
};

/// Creates a file under a temporary name, lets `fill` write it, then gives it its name. What `fill` leaves is
/// whole or nothing. Holds the library's lock.
void write_whole(const std::filesystem::path& path, const std::function<void(h5::File&)>& fill,
                 const VectorData& vectors = {});

}  // namespace quasar::store
