#include "curation/chosen_embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/checksum.h"
#include "base/errors.h"

namespace quasar::curation {
namespace {

/// Rows read at once, and rows that are not wanted between two that are.
constexpr std::uint64_t kStretchRows = 4096;
constexpr std::uint64_t kStretchGap = 64;

void normalize(std::span<float> values) {
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * static_cast<double>(value);
  const double scale = 1 / std::sqrt(square);
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) * scale);
}

}  // namespace

ChosenEmbeddings::ChosenEmbeddings(const RankInput& input, std::span<const std::uint64_t> rows)
    : input_(input), rows_(rows) {
  QUASAR_CHECK(!input.shards.empty() && std::ranges::is_sorted(input.shard_first));
  dimension_ = static_cast<std::size_t>(open(0).header().dimension);
}

std::size_t ChosenEmbeddings::shard_of(std::uint64_t row) const {
  const auto& firsts = input_.shard_first;
  return static_cast<std::size_t>(std::ranges::upper_bound(firsts, row) - firsts.begin()) - 1;
}

const store::EmbeddingShardReader& ChosenEmbeddings::open(std::size_t index) {
  if (opened_ == index) return *reader_;
  opened_ = SIZE_MAX;
  const auto path = input_.embeddings.shard(input_.shards[index]);
  reader_.emplace(path);
  const auto dimension = static_cast<std::size_t>(reader_->header().dimension);
  if (dimension_ != 0 && dimension != dimension_)
    base::fail(base::ExitCode::kInput, fmt::format("{} holds embeddings of {} values, other shards of {}",
                                                   path.string(), dimension, dimension_));
  opened_ = index;
  return *reader_;
}

void ChosenEmbeddings::read(std::int64_t first, std::int64_t count, std::span<float> values,
                            std::span<std::int64_t> numbers) {
  QUASAR_CHECK(first >= 0 && count >= 0 && first + count <= size());
  const auto rows = rows_.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  if (!numbers.empty())
    std::ranges::transform(rows, numbers.begin(),
                           [](std::uint64_t row) { return static_cast<std::int64_t>(row); });
  if (values.empty()) return;
  for (std::size_t at = 0; at < rows.size();) {
    const std::size_t shard = shard_of(rows[at]);
    const auto& reader = open(shard);
    const std::uint64_t begin = input_.shard_first[shard];
    std::size_t end = at + 1;
    while (end < rows.size() && rows[end] - begin < reader.size() && rows[end] - rows[at] < kStretchRows &&
           rows[end] - rows[end - 1] <= kStretchGap) {
      ++end;
    }
    if (rows[end - 1] - begin >= reader.size())
      base::fail(base::ExitCode::kInput, fmt::format("{} has {} rows, and row {} of the plan is to lie in it",
                                                     input_.embeddings.shard(input_.shards[shard]).string(),
                                                     reader.size(), rows[at]));
    const auto stretch = static_cast<std::size_t>(rows[end - 1] - rows[at] + 1);
    stretch_.resize(stretch * dimension_);
    reader.read_embeddings(static_cast<std::size_t>(rows[at] - begin), stretch, stretch_);
    for (std::size_t i = at; i < end; ++i) {
      const auto from =
          std::span(stretch_).subspan(static_cast<std::size_t>(rows[i] - rows[at]) * dimension_, dimension_);
      const auto to = values.subspan(i * dimension_, dimension_);
      std::ranges::copy(from, to.begin());
      normalize(to);
    }
    at = end;
  }
}

std::uint64_t ChosenEmbeddings::content(std::uint64_t seed) {
  std::uint64_t sum = 0;
  std::uint64_t of_shard = 0;
  std::size_t shard = SIZE_MAX;
  for (const std::uint64_t row : rows_) {
    if (const std::size_t here = shard_of(row); here != shard) {
      shard = here;
      of_shard = base::xxh64(open(shard).header().content_xxh128, seed);
    }
    sum += base::xxh64({reinterpret_cast<const char*>(&row), sizeof(row)}, of_shard);
  }
  return sum;
}

}  // namespace quasar::curation
