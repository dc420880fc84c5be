#include "store/embedding_shard.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <type_traits>

#include "base/checksum.h"
#include "base/errors.h"
#include "corpus/item.h"
#include "store/half.h"
#include "store/provenance.h"
#include "store/seal.h"

namespace quasar::store {
namespace {

constexpr int kMaxDimension = 1 << 20;

/// Every dataset but the embedding, as columns.
struct Columns {
  std::vector<std::string> id, source, member, hash, error, group, fields, split, distortion, format,
      perceptual_hash;
  std::vector<std::uint8_t> status;
  std::vector<std::int32_t> width, height, perceptual_quality;
  std::vector<std::uint64_t> offset, bytes;
  std::vector<double> label, deviation;
};

/// Calls visit(name, column) for each text column of a schema.
template <typename C, typename Visit>
void for_texts(C& columns, std::int64_t schema, const Visit& visit) {
  visit("id", columns.id);
  visit("source", columns.source);
  visit("member", columns.member);
  visit("hash", columns.hash);
  visit("error", columns.error);
  visit("group", columns.group);
  visit("fields", columns.fields);
  if (schema < 2) return;
  visit("split", columns.split);
  visit("distortion", columns.distortion);
  if (schema < 3) return;
  visit("format", columns.format);
  visit("perceptual_hash", columns.perceptual_hash);
}

/// Calls visit(name, column, file type, memory type) for each column of numbers of a schema.
template <typename C, typename Visit>
void for_numbers(C& columns, std::int64_t schema, const Visit& visit) {
  const h5::Handle status = h5::status_type();
  // Read as plain bytes, so that a value outside the enumeration is seen and refused.
  visit("status", columns.status, status.get(), status.get());
  visit("width", columns.width, H5T_STD_I32LE, H5T_NATIVE_INT32);
  visit("height", columns.height, H5T_STD_I32LE, H5T_NATIVE_INT32);
  visit("offset", columns.offset, H5T_STD_U64LE, H5T_NATIVE_UINT64);
  visit("bytes", columns.bytes, H5T_STD_U64LE, H5T_NATIVE_UINT64);
  visit("label", columns.label, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE);
  if (schema < 2) return;
  visit("deviation", columns.deviation, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE);
  if (schema < 3) return;
  visit("perceptual_quality", columns.perceptual_quality, H5T_STD_I32LE, H5T_NATIVE_INT32);
}

Columns to_columns(std::span<const RowRecord> rows) {
  Columns c;
  for (const auto& row : rows) {
    c.id.push_back(row.id);
    c.source.push_back(row.source);
    c.member.push_back(row.member);
    c.hash.push_back(row.hash);
    c.error.push_back(row.error);
    c.group.push_back(row.reference);
    c.split.push_back(row.split);
    c.distortion.push_back(row.distortion ? distort::to_text(*row.distortion) : "");
    c.format.push_back(row.format);
    c.perceptual_hash.push_back(row.perceptual_hash);
    c.perceptual_quality.push_back(row.perceptual_quality);
    c.fields.push_back(row.fields);
    c.status.push_back(static_cast<std::uint8_t>(row.status));
    c.width.push_back(row.width);
    c.height.push_back(row.height);
    c.offset.push_back(row.offset);
    c.bytes.push_back(row.bytes);
    c.label.push_back(row.label);
    c.deviation.push_back(row.deviation);
  }
  // HDF5's texts end at the first NUL.
  for_texts(c, kEmbeddingShardSchema.present, [](const char*, std::vector<std::string>& texts) {
    for (auto& text : texts) std::replace(text.begin(), text.end(), '\0', ' ');
  });
  return c;
}

std::string content_checksum(const Columns& columns, std::int64_t schema,
                             std::span<const std::byte> embedding_bytes) {
  std::string sums = base::xxh128_hex(embedding_bytes);
  for_texts(columns, schema, [&](const char* name, const std::vector<std::string>& texts) {
    std::string joined = name;
    for (const auto& text : texts) {
      joined += '\0';
      joined += text;
    }
    sums += base::xxh128_hex(std::as_bytes(std::span(joined)));
  });
  for_numbers(columns, schema, [&](const char*, const auto& values, hid_t, hid_t) {
    sums += base::xxh128_hex(std::as_bytes(std::span(values)));
  });
  return base::xxh128_hex(std::as_bytes(std::span(sums)));
}

std::vector<std::uint16_t> to_halves(std::span<const float> values) {
  std::vector<std::uint16_t> halves(values.size());
  std::transform(values.begin(), values.end(), halves.begin(), to_half);
  return halves;
}

base::RowStatus status_of(std::uint8_t value, const std::filesystem::path& path) {
  const auto status = static_cast<base::RowStatus>(value);
  const auto all = base::all_statuses();
  if (std::find(all.begin(), all.end(), status) == all.end()) {
    base::fail(base::ExitCode::kInput,
               path.string() + ": " + std::to_string(value) + " is no status of a row");
  }
  return status;
}

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// In files of the first schema it stands among the fields.
void take_former_distortion(RowRecord& row) {
  if (row.fields.find(corpus::kFormerDistortionField) == std::string::npos) return;
  auto fields = nlohmann::ordered_json::parse(row.fields, nullptr, false);
  if (!fields.is_object() || !fields.contains(corpus::kFormerDistortionField) ||
      !fields[corpus::kFormerDistortionField].is_string())
    return;
  row.distortion = distort::distortion_from_text(fields[corpus::kFormerDistortionField].get<std::string>());
  fields.erase(corpus::kFormerDistortionField);
  row.fields = fields.empty() ? "" : fields.dump();
}

}  // namespace

std::string write_embedding_shard(const std::filesystem::path& path, const ShardHeader& header,
                                  std::span<const RowRecord> rows, std::span<const float> embeddings) {
  const auto dimension = static_cast<std::uint64_t>(header.dimension);
  QUASAR_CHECK(header.dimension > 0 && embeddings.size() == rows.size() * dimension);
  const Columns columns = to_columns(rows);
  const auto halves = header.half ? to_halves(embeddings) : std::vector<std::uint16_t>();
  const auto stored = header.half ? std::as_bytes(std::span(halves)) : std::as_bytes(embeddings);
  std::string checksum = content_checksum(columns, kEmbeddingShardSchema.present, stored);
  write_whole(
      path,
      [&](h5::File& file) {
        write_provenance(file, kEmbeddingShardSchema);
        write_encoder(file, header.encoder);
        file.write_attribute("plan_fingerprint", header.plan_fingerprint);
        file.write_attribute("items_sha256", header.items_sha256);
        file.write_attribute("shard", std::int64_t{header.shard});
        file.write_attribute("content_xxh128", checksum);
        file.write_attribute("computed_on", joined_lines(header.computed_on));
        const h5::Handle half = h5::half_type();
        file.write("embedding", header.half ? half.get() : H5T_IEEE_F32LE,
                   header.half ? half.get() : H5T_NATIVE_FLOAT, stored.data(), rows.size(), dimension);
        for_numbers(columns, kEmbeddingShardSchema.present,
                    [&](const char* name, const auto& values, hid_t file_type, hid_t memory_type) {
                      file.write(name, file_type, memory_type, values.data(), values.size());
                    });
        for_texts(
            columns, kEmbeddingShardSchema.present,
            [&](const char* name, const std::vector<std::string>& texts) { file.write_texts(name, texts); });
      },
      {"embedding", stored});
  return checksum;
}

struct EmbeddingShardReader::Impl {
  std::filesystem::path path;
  h5::File file;
  ShardHeader header;
  std::size_t size = 0;
  std::int64_t schema = 0;
  Integrity integrity;

  Impl(const std::filesystem::path& p, Integrity i) : path(p), file(h5::File::open(p, i)), integrity(i) {
    schema = check_provenance(file, path, kEmbeddingShardSchema);
    header.encoder = read_encoder(file);
    header.plan_fingerprint = file.text_attribute("plan_fingerprint");
    header.items_sha256 = file.text_attribute("items_sha256");
    header.content_xxh128 = file.text_attribute("content_xxh128");
    header.shard = static_cast<int>(file.integer_attribute("shard"));
    if (file.has_attribute("computed_on")) header.computed_on = lines_of(file.text_attribute("computed_on"));
    const auto [rows, columns] = file.shape("embedding");
    if (columns < 1 || columns > kMaxDimension) {
      base::fail(base::ExitCode::kInput, path.string() + ": the dataset embedding is not [n, d]");
    }
    header.dimension = static_cast<int>(columns);
    header.half = file.value_bytes("embedding") == sizeof(std::uint16_t);
    size = rows;
    Columns none;
    const auto check = [&](const char* name) {
      if (file.shape(name) != std::pair<std::uint64_t, std::uint64_t>(size, 0)) {
        base::fail(base::ExitCode::kInput,
                   path.string() + ": the dataset " + name + " has not as many rows as embedding");
      }
    };
    for_texts(none, schema, [&](const char* name, const auto&) { check(name); });
    for_numbers(none, schema, [&](const char* name, const auto&, hid_t, hid_t) { check(name); });
  }

  Columns read(std::size_t first, std::size_t count) const {
    Columns columns;
    for_texts(columns, schema, [&](const char* name, std::vector<std::string>& texts) {
      texts = file.read_texts(name, first, count);
    });
    for_numbers(columns, schema, [&](const char* name, auto& values, hid_t, hid_t memory_type) {
      values.resize(count);
      file.read(name, memory_type, first, count, values.data());
    });
    return columns;
  }
};

EmbeddingShardReader::EmbeddingShardReader(const std::filesystem::path& path, Integrity integrity) {
  const auto guard = h5::lock();
  impl_ = std::make_unique<Impl>(path, integrity);
}

EmbeddingShardReader::~EmbeddingShardReader() {
  const auto guard = h5::lock();
  impl_.reset();
}

EmbeddingShardReader::EmbeddingShardReader(EmbeddingShardReader&&) noexcept = default;

const ShardHeader& EmbeddingShardReader::header() const {
  return impl_->header;
}

std::size_t EmbeddingShardReader::size() const {
  return impl_->size;
}

bool EmbeddingShardReader::is_of(const std::string& items_sha256, std::size_t rows) const {
  return impl_->header.items_sha256 == items_sha256 && impl_->size == rows;
}

void EmbeddingShardReader::read_embeddings(std::size_t first, std::size_t count, std::span<float> out) const {
  QUASAR_CHECK(out.size() == count * static_cast<std::size_t>(impl_->header.dimension));
  QUASAR_CHECK(impl_->integrity != Integrity::kRows);
  const auto guard = h5::lock();
  if (!impl_->header.half) {
    impl_->file.read("embedding", H5T_NATIVE_FLOAT, first, count, out.data());
    return;
  }
  std::vector<std::uint16_t> halves(out.size());
  const h5::Handle half = h5::half_type();
  impl_->file.read("embedding", half.get(), first, count, halves.data());
  std::transform(halves.begin(), halves.end(), out.begin(), from_half);
}

std::vector<RowRecord> EmbeddingShardReader::read_rows(std::size_t first, std::size_t count) const {
  const auto guard = h5::lock();
  Columns c = impl_->read(first, count);
  std::vector<RowRecord> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    rows[i].id = std::move(c.id[i]);
    rows[i].source = std::move(c.source[i]);
    rows[i].member = std::move(c.member[i]);
    rows[i].hash = std::move(c.hash[i]);
    rows[i].error = std::move(c.error[i]);
    rows[i].reference = std::move(c.group[i]);
    rows[i].fields = std::move(c.fields[i]);
    rows[i].status = status_of(c.status[i], impl_->path);
    rows[i].width = c.width[i];
    rows[i].height = c.height[i];
    rows[i].offset = c.offset[i];
    rows[i].bytes = c.bytes[i];
    rows[i].label = c.label[i];
    if (impl_->schema < 2) {
      take_former_distortion(rows[i]);
      continue;
    }
    rows[i].deviation = c.deviation[i];
    rows[i].split = std::move(c.split[i]);
    if (!c.distortion[i].empty()) rows[i].distortion = distort::distortion_from_text(c.distortion[i]);
    if (!c.distortion[i].empty() && !rows[i].distortion)
      base::fail(base::ExitCode::kInput,
                 impl_->path.string() + ": \"" + c.distortion[i] + "\" is no distortion");
    if (impl_->schema < 3) continue;
    rows[i].format = std::move(c.format[i]);
    rows[i].perceptual_hash = std::move(c.perceptual_hash[i]);
    rows[i].perceptual_quality = c.perceptual_quality[i];
  }
  return rows;
}

std::vector<base::RowStatus> EmbeddingShardReader::read_statuses() const {
  const auto guard = h5::lock();
  std::vector<std::uint8_t> values(impl_->size);
  const h5::Handle type = h5::status_type();
  impl_->file.read("status", type.get(), 0, impl_->size, values.data());
  std::vector<base::RowStatus> statuses;
  statuses.reserve(values.size());
  for (const auto value : values) statuses.push_back(status_of(value, impl_->path));
  return statuses;
}

std::vector<double> EmbeddingShardReader::read_labels() const {
  const auto guard = h5::lock();
  std::vector<double> labels(impl_->size);
  impl_->file.read("label", H5T_NATIVE_DOUBLE, 0, impl_->size, labels.data());
  return labels;
}

bool EmbeddingShardReader::has_its_content() const {
  const auto guard = h5::lock();
  std::vector<float> embeddings(impl_->size * static_cast<std::size_t>(impl_->header.dimension));
  read_embeddings(0, impl_->size, embeddings);
  const auto halves = impl_->header.half ? to_halves(embeddings) : std::vector<std::uint16_t>();
  const auto stored =
      impl_->header.half ? std::as_bytes(std::span(halves)) : std::as_bytes(std::span(embeddings));
  // Every status must be one.
  read_statuses();
  return content_checksum(impl_->read(0, impl_->size), impl_->schema, stored) == impl_->header.content_xxh128;
}

bool is_whole_shard(const std::filesystem::path& path, const std::string& items_sha256, std::size_t rows,
                    Integrity integrity) {
  if (!is_readable(path)) return false;
  try {
    const EmbeddingShardReader reader(path, integrity);
    return reader.is_of(items_sha256, rows);
  } catch (const base::Error&) {
    return false;
  }
}

std::optional<EmbeddingShardReader> open_verified_shard(const std::filesystem::path& path) {
  if (!is_readable(path)) return std::nullopt;
  try {
    const auto guard = h5::lock();
    if (check_seal(path, SealExtent::kAll, true) == SealState::kBroken) return std::nullopt;
    EmbeddingShardReader reader(path);
    if (!reader.has_its_content()) return std::nullopt;
    return reader;
  } catch (const base::Error&) {
    return std::nullopt;
  }
}

bool verify_shard(const std::filesystem::path& path) {
  return open_verified_shard(path).has_value();
}

}  // namespace quasar::store
