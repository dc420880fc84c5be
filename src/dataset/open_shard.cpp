#include "dataset/open_shard.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/errors.h"

namespace quasar::dataset {
namespace {

std::string fields_json(const corpus::Item& item) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, value] : item.fields) {
    object[name] = value;
  }
  return object.empty() ? std::string()
                        : object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

store::RowRecord row_of(const corpus::Item& item) {
  store::RowRecord row;
  row.id = item.id;
  row.source = item.source;
  row.member = item.member;
  row.offset = item.offset;
  row.label = item.label.value_or(std::numeric_limits<double>::quiet_NaN());
  row.deviation = item.deviation.value_or(std::numeric_limits<double>::quiet_NaN());
  row.reference = item.reference;
  row.split = item.split;
  row.distortion = item.distortion;
  row.fields = fields_json(item);
  return row;
}

OpenShard::OpenShard(const EmbedJob& job, const corpus::Shard& shard, std::size_t batch_size)
    : job_(job),
      shard_(shard),
      reader_(job.set.plan().read_items(shard), static_cast<std::uint64_t>(job.decode.max_file_bytes)),
      batch_size_(batch_size),
      dimension_(static_cast<std::size_t>(job.encoder.dimension())),
      rows_(size()),
      embeddings_(size() * dimension_, std::numeric_limits<float>::quiet_NaN()),
      kept_(size(), 0) {
  for (std::size_t first = 0; first < size(); first += batch_size_) {
    const auto count = std::min(batch_size_, size() - first);
    auto& batch = batches_.emplace_back();
    batch.shard = this;
    batch.first = first;
    batch.count = count;
    batch.undecoded = count;
  }
}

void OpenShard::keep_rows(const RetryFailed& retry) {
  if (!job_.set.has(shard_) || !store::verify_shard(job_.set.path(shard_))) return;
  const auto present = job_.set.open(shard_);
  QUASAR_CHECK(present.header().dimension == job_.encoder.dimension());
  kept_computed_on_ = present.header().computed_on;
  auto rows = present.read_rows(0, size());
  std::vector<float> embeddings(embeddings_.size());
  present.read_embeddings(0, size(), embeddings);
  for (std::size_t i = 0; i < size(); ++i) {
    if (retry.covers(rows[i].status)) continue;
    kept_[i] = 1;
    rows_[i] = std::move(rows[i]);
    const auto begin = static_cast<std::ptrdiff_t>(i * dimension_);
    std::copy_n(embeddings.begin() + begin, dimension_, embeddings_.begin() + begin);
  }
}

void OpenShard::keep(std::size_t row, std::span<const float> embedding) {
  if (!std::all_of(embedding.begin(), embedding.end(), [](float v) { return std::isfinite(v); })) {
    rows_[row].status = base::RowStatus::kEncodeFailed;
    rows_[row].error = "the encoder gave a non-finite embedding";
    return;
  }
  std::copy(embedding.begin(), embedding.end(),
            embeddings_.begin() + static_cast<std::ptrdiff_t>(row * dimension_));
}

void OpenShard::write(const base::EncoderIdentity& identity) const {
  store::ShardHeader header;
  header.encoder = identity;
  header.plan_fingerprint = job_.set.plan().fingerprint();
  header.items_sha256 = shard_.sha256;
  header.shard = shard_.id;
  header.dimension = job_.encoder.dimension();
  header.half = job_.half;
  std::set<std::string> kinds(kept_computed_on_.begin(), kept_computed_on_.end());
  kinds.insert(job_.encoder.computed_on());
  header.computed_on.assign(kinds.begin(), kinds.end());
  store::write_embedding_shard(job_.set.path(shard_), header, rows_, embeddings_);
}

}  // namespace quasar::dataset
