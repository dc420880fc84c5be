#include "store/virtual_dataset.h"

#include <array>

#include "base/errors.h"
#include "store/provenance.h"
#include "store/seal.h"

namespace quasar::store {
namespace {

struct Part {
  std::string file;  ///< Relative to the virtual file.
  hsize_t rows = 0;
};

void write_virtual(h5::File& file, const char* name, hid_t type, const std::vector<Part>& parts,
                   hsize_t columns, const std::filesystem::path& path) {
  hsize_t total = 0;
  for (const auto& part : parts) total += part.rows;
  const int rank = columns > 0 ? 2 : 1;
  const std::array<hsize_t, 2> shape = {total, columns};
  const h5::Handle space(H5Screate_simple(rank, shape.data(), nullptr), H5Sclose);
  const h5::Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties.get(), 0);
  hsize_t first = 0;
  bool mapped = true;
  for (const auto& part : parts) {
    if (part.rows == 0) continue;
    const std::array<hsize_t, 2> start = {first, 0};
    const std::array<hsize_t, 2> size = {part.rows, columns};
    mapped = mapped && H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, size.data(),
                                           nullptr) >= 0;
    const h5::Handle from(H5Screate_simple(rank, size.data(), nullptr), H5Sclose);
    mapped =
        mapped && H5Pset_virtual(properties.get(), space.get(), part.file.c_str(), name, from.get()) >= 0;
    first += part.rows;
  }
  H5Sselect_all(space.get());
  const h5::Handle set(
      H5Dcreate2(file.id(), name, type, space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), H5Dclose);
  if (!mapped || !set.valid()) {
    base::fail(base::ExitCode::kOutput, path.string() + ": cannot create the virtual dataset " + name);
  }
}

}  // namespace

void write_virtual_dataset(const std::filesystem::path& path,
                           const std::vector<std::filesystem::path>& shards) {
  std::vector<Part> parts;
  ShardHeader header;
  for (const auto& shard : shards) {
    const EmbeddingShardReader reader(shard, Integrity::kUnchecked);
    if (!parts.empty() &&
        (reader.header().dimension != header.dimension || reader.header().half != header.half)) {
      base::fail(
          base::ExitCode::kInput,
          shard.string() + " holds embeddings of another dimension or type than " + shards.front().string());
    }
    if (parts.empty()) header = reader.header();
    parts.push_back({std::filesystem::relative(shard, path.parent_path()).string(), reader.size()});
  }
  write_whole(path, [&](h5::File& file) {
    write_provenance(file, kVirtualDatasetSchema);
    if (parts.empty()) return;
    write_encoder(file, header.encoder);
    const h5::Handle half = h5::half_type();
    const h5::Handle text = h5::text_type();
    const h5::Handle status = h5::status_type();
    write_virtual(file, "embedding", header.half ? half.get() : H5T_IEEE_F32LE, parts,
                  static_cast<hsize_t>(header.dimension), path);
    write_virtual(file, "status", status.get(), parts, 0, path);
    write_virtual(file, "label", H5T_IEEE_F64LE, parts, 0, path);
    for (const char* name : {"id", "hash", "source"}) write_virtual(file, name, text.get(), parts, 0, path);
  });
}

bool is_virtual_dataset_of(const std::filesystem::path& path, std::uint64_t rows) {
  if (!is_readable(path)) return false;
  try {
    const auto guard = h5::lock();
    const auto file = h5::File::open(path, Integrity::kChecked);
    check_provenance(file, path, kVirtualDatasetSchema);
    return file.shape("embedding").first == rows;
  } catch (const base::Error&) {
    return false;
  }
}

}  // namespace quasar::store
