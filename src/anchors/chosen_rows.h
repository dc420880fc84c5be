// Internal to the module: owns the view of a source that shows only the rows of one side of a split.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cluster/row_source.h"

namespace quasar::anchors {

/// The rows of `source` whose numbers were chosen, in the order of the source, so that reading them is one
/// pass forward. A row's number here is its place in the choice: k-means draws its seeds in that order.
/// Costs 16 bytes per row, and up to kScratchBytes while reading.
class ChosenRows final : public cluster::RowSource {
 public:
  static constexpr std::size_t kScratchBytes = std::size_t{1} << 20U;

  /// `chosen` are distinct row numbers over all ranks; those that the source does not hold are another
  /// rank's. The source must outlive the view.
  ChosenRows(cluster::RowSource& source, std::span<const std::int64_t> chosen);

  std::size_t dimension() const override { return source_.dimension(); }
  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override;

 private:
  struct Row {
    std::int64_t index = 0;  ///< In the source.
    std::int64_t place = 0;  ///< In the choice.
  };

  void read_values(std::span<const Row> rows, std::span<float> values);

  cluster::RowSource& source_;
  std::vector<Row> rows_;
  std::vector<float> scratch_;
};

}  // namespace quasar::anchors
