#include "study/rated_set.h"

#include <numeric>

#include "dataset/embedding_rows.h"

namespace quasar::study {

RatedSet::RatedSet(const dataset::DataSet& data, std::size_t dimension, std::uint64_t most_bytes)
    : data_(data) {
  const auto count = static_cast<std::size_t>(data.plan().item_count());
  labelled_.reserve(count);
  labels_.reserve(count);
  deviations_.reserve(count);
  data_.for_each_row(dataset::WrittenBy::kThisJob, [&](std::int64_t number, const store::RowRecord& row) {
    labelled_.push_back({number, row.label, row.id, row.reference, row.status == base::RowStatus::kOk});
    labels_.push_back(row.label);
    deviations_.push_back(row.deviation);
  });
  auto stored = std::make_unique<dataset::EmbeddingRows>(data_, data_.plan().shards(), dimension);
  if (count > most_bytes / (dimension * sizeof(float))) {
    rows_ = std::move(stored);
    return;
  }
  values_.resize(count * dimension);
  numbers_.resize(count);
  std::iota(numbers_.begin(), numbers_.end(), 0);
  stored->read(0, static_cast<std::int64_t>(count), values_, {});
  rows_ = std::make_unique<cluster::MemoryRows>(cluster::LocalRows{values_, numbers_, dimension});
}

}  // namespace quasar::study
