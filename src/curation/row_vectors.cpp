#include "curation/row_vectors.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/errors.h"

namespace quasar::curation {
namespace {

/// Rows of a shard that are read at once, wanted or not.
constexpr std::uint64_t kVectorsAtOnce = 2048;

}  // namespace

RowVectors::RowVectors(const RankInput& input, std::vector<std::uint64_t> rows)
    : input_(input), rows_(std::move(rows)) {
  QUASAR_CHECK(input.shards.size() == input.shard_first.size() && std::ranges::is_sorted(input.shard_first) &&
               std::ranges::is_sorted(rows_));
  QUASAR_CHECK(rows_.empty() || (!input.shards.empty() && rows_.front() >= input.shard_first.front()));
  if (!input.shards.empty()) {
    reader_.emplace(input.embeddings.shard(input.shards.front()));
    opened_ = 0;
    dimension_ = static_cast<std::size_t>(reader_->header().dimension);
  }
}

const store::EmbeddingShardReader& RowVectors::open(std::size_t shard) {
  if (opened_ == shard) return *reader_;
  opened_ = SIZE_MAX;
  const auto path = input_.embeddings.shard(input_.shards[shard]);
  reader_.emplace(path);
  if (static_cast<std::size_t>(reader_->header().dimension) != dimension_) {
    base::fail(base::ExitCode::kInput,
               fmt::format("{} holds embeddings of {} values; the first shard of the run has {}",
                           path.string(), reader_->header().dimension, dimension_));
  }
  opened_ = shard;
  return *reader_;
}

void RowVectors::read_shard(std::size_t shard, std::span<const std::uint64_t> rows, std::span<float> values) {
  const auto& reader = open(shard);
  const std::uint64_t base = input_.shard_first[shard];
  if (rows.back() - base >= reader.size()) {
    base::fail(base::ExitCode::kInput, fmt::format("{} has {} rows; row {} of it was ranked",
                                                   input_.embeddings.shard(input_.shards[shard]).string(),
                                                   reader.size(), rows.back() - base));
  }
  for (std::size_t done = 0; done < rows.size();) {
    const std::uint64_t begin = rows[done];
    const auto end =
        static_cast<std::size_t>(std::lower_bound(rows.begin() + static_cast<std::ptrdiff_t>(done),
                                                  rows.end(), begin + kVectorsAtOnce) -
                                 rows.begin());
    const auto length = static_cast<std::size_t>(rows[end - 1] - begin + 1);
    const auto target = values.subspan(done * dimension_, (end - done) * dimension_);
    if (length == end - done) {
      reader.read_embeddings(static_cast<std::size_t>(begin - base), length, target);
    } else {
      block_.resize(length * dimension_);
      reader.read_embeddings(static_cast<std::size_t>(begin - base), length, block_);
      for (std::size_t i = done; i < end; ++i) {
        std::copy_n(block_.begin() + static_cast<std::ptrdiff_t>((rows[i] - begin) * dimension_), dimension_,
                    target.begin() + static_cast<std::ptrdiff_t>((i - done) * dimension_));
      }
    }
    done = end;
  }
}

void RowVectors::read(std::int64_t first, std::int64_t count, std::span<float> values,
                      std::span<std::int64_t> numbers) {
  QUASAR_CHECK(first >= 0 && count >= 0 && first + count <= size());
  const auto wanted =
      std::span(rows_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  if (!numbers.empty()) std::ranges::copy(wanted, numbers.begin());
  if (values.empty()) return;
  const auto& begins = input_.shard_first;
  for (std::size_t done = 0; done < wanted.size();) {
    const auto shard =
        static_cast<std::size_t>(std::ranges::upper_bound(begins, wanted[done]) - begins.begin()) - 1;
    const auto rest = wanted.subspan(done);
    const auto end =
        shard + 1 < begins.size() ? std::ranges::lower_bound(rest, begins[shard + 1]) : rest.end();
    const auto rows = static_cast<std::size_t>(end - rest.begin());
    read_shard(shard, rest.first(rows), values.subspan(done * dimension_, rows * dimension_));
    done += rows;
  }
}

}  // namespace quasar::curation
