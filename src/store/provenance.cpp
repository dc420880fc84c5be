#include "store/provenance.h"

#include <algorithm>
#include <cstring>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/mapped_file.h"
#include "base/version.h"
#include "store/seal.h"

namespace quasar::store {
namespace {

/// Whether the chunks, moved by `shift`, hold these bytes in this order; the last is filled up.
bool hold(std::span<const std::byte> file, const std::vector<ByteRange>& chunks, std::uint64_t shift,
          std::span<const std::byte> bytes) {
  for (const auto& chunk : chunks) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size, bytes.size()));
    if (chunk.offset + shift > file.size() || size > file.size() - (chunk.offset + shift)) return false;
    if (std::memcmp(file.data() + chunk.offset + shift, bytes.data(), size) != 0) return false;
    bytes = bytes.subspan(size);
  }
  return bytes.empty();
}

/// The places of chunks in a file, neighbours joined. Versions of HDF5 differ in whether they count the user
/// block, so that what lies there is compared. Empty where neither gives the bytes.
std::vector<ByteRange> ranges_in_file(const std::filesystem::path& path, const std::vector<ByteRange>& chunks,
                                      std::span<const std::byte> bytes) {
  std::vector<ByteRange> ranges;
  if (chunks.empty()) return ranges;
  const base::MappedFile file(path);
  for (const std::uint64_t shift : {std::uint64_t{0}, kSealBytes}) {
    if (!hold(file.bytes(), chunks, shift, bytes)) continue;
    for (const auto& chunk : chunks) {
      const std::uint64_t offset = chunk.offset + shift;
      if (!ranges.empty() && offset < ranges.back().offset) return {};
      if (!ranges.empty() && ranges.back().offset + ranges.back().size == offset)
        ranges.back().size += chunk.size;
      else
        ranges.push_back({offset, chunk.size});
    }
    return ranges;
  }
  return ranges;
}

}  // namespace

void write_provenance(h5::File& file, const Schema& schema) {
  file.write_attribute("kind", std::string("quasar ") + schema.kind);
  file.write_attribute("schema_version", schema.present);
  file.write_attribute("software_version", base::version());
}

std::int64_t check_provenance(const h5::File& file, const std::filesystem::path& path, const Schema& schema) {
  const std::string wanted = std::string("quasar ") + schema.kind;
  const std::string found = file.has_attribute("kind") ? file.text_attribute("kind") : "no file of Quasar";
  if (found != wanted) {
    base::fail(base::ExitCode::kInput, path.string() + " is a " + found + ", not a " + wanted);
  }
  const auto version = file.integer_attribute("schema_version");
  if (!schema.reads(version)) {
    base::fail(base::ExitCode::kInput, path.string() + " has schema version " + std::to_string(version) +
                                           "; this software reads versions " + std::to_string(schema.oldest) +
                                           " to " + std::to_string(schema.present) +
                                           (version > schema.present ? ": use a newer one" : ""));
  }
  return version;
}

void write_encoder(h5::File& file, const base::EncoderIdentity& encoder) {
  file.write_attribute("encoder_architecture", encoder.architecture);
  file.write_attribute("encoder_weights_sha256", encoder.weights_sha256);
  file.write_attribute("encoder_preprocessing", encoder.preprocessing);
  file.write_attribute("encoder_dtype", encoder.dtype);
}

base::EncoderIdentity read_encoder(const h5::File& file) {
  return {file.text_attribute("encoder_architecture"), file.text_attribute("encoder_weights_sha256"),
          file.text_attribute("encoder_preprocessing"), file.text_attribute("encoder_dtype")};
}

void write_whole(const std::filesystem::path& path, const std::function<void(h5::File&)>& fill,
                 const VectorData& vectors) {
  const auto temporary = base::temporary_name(path);
  try {
    const auto guard = h5::lock();
    auto file = h5::File::create(temporary);
    fill(file);
    std::vector<ByteRange> chunks;
    if (!vectors.bytes.empty()) {
      file.flush();
      chunks = file.chunks(vectors.name);
    }
    file.close();
    seal_file(temporary, ranges_in_file(temporary, chunks, vectors.bytes));
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  base::publish_file(temporary, path);
}

}  // namespace quasar::store
