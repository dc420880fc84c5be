// Owns an embedded data set as a study uses it: rows with their labels, read once by a rank and kept where
// they fit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "anchors/splits.h"
#include "cluster/row_source.h"
#include "dataset/data_set.h"

namespace quasar::study {

class RatedSet {
 public:
  /// Reads all rows; their embeddings too where they take no more than `most_bytes`. Throws Error(kInput).
  RatedSet(const dataset::DataSet& data, std::size_t dimension, std::uint64_t most_bytes);

  const dataset::DataSet& data() const { return data_; }
  /// Of all shards, on this rank alone.
  cluster::RowSource& rows() { return *rows_; }
  const std::vector<anchors::LabelledRow>& labelled() const { return labelled_; }
  const std::vector<double>& labels() const { return labels_; }  ///< NaN for none.
  const std::vector<double>& deviations() const { return deviations_; }
  /// Bytes of embeddings that are kept.
  std::uint64_t bytes() const { return values_.size() * sizeof(float); }

 private:
  dataset::DataSet data_;
  std::vector<anchors::LabelledRow> labelled_;
  std::vector<double> labels_, deviations_;
  std::vector<float> values_;
  std::vector<std::int64_t> numbers_;
  std::unique_ptr<cluster::RowSource> rows_;
};

}  // namespace quasar::study
