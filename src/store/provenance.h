// Internal to the module: the attributes that every file of ours carries.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "store/embedding_shard.h"
#include "store/h5.h"

namespace quasar::store {

/// Kind of file ("embedding shard", ...), schema and software version.
void write_provenance(h5::File& file, const std::string& kind);
/// Throws Error(kInput) unless the file is of this kind and of a schema this software knows.
void check_provenance(const h5::File& file, const std::filesystem::path& path, const std::string& kind);

void write_encoder(h5::File& file, const base::EncoderIdentity& encoder);
base::EncoderIdentity read_encoder(const h5::File& file);

/// Creates a file under a temporary name, lets `fill` write it, then gives it its name. What `fill` leaves is
/// whole or nothing. Holds the library's lock.
void write_whole(const std::filesystem::path& path, const std::function<void(h5::File&)>& fill);

}  // namespace quasar::store
