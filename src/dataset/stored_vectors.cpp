#include "dataset/stored_vectors.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <tuple>

#include "base/checksum.h"
#include "base/errors.h"

namespace quasar::dataset {
namespace {

auto order(std::uint64_t high, std::uint64_t low) {
  return std::tuple(high, low);
}

}  // namespace

StoredVectors::StoredVectors(const std::vector<std::filesystem::path>& vectors,
                             const std::vector<std::filesystem::path>& ids)
    : begins_(1, 0) {
  for (const auto& path : vectors) {
    const auto& file = files_.emplace_back(path);
    if (files_.size() == 1) dimension_ = file.dimension();
    if (file.dimension() != dimension_)
      base::fail(base::ExitCode::kInput, fmt::format("{} holds vectors of {} values, {} of {}", path.string(),
                                                     file.dimension(), vectors.front().string(), dimension_));
    begins_.push_back(begins_.back() + file.rows());
  }
  read_ids(ids);
}

void StoredVectors::read_ids(const std::vector<std::filesystem::path>& ids) {
  const std::uint64_t rows = begins_.back();
  for (const auto& path : ids) {
    std::ifstream stream(path);
    if (!stream) base::fail(base::ExitCode::kInput, path.string() + " cannot be read");
    std::uint64_t number = 0;
    for (std::string line; std::getline(stream, line);) {
      ++number;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.empty())
        base::fail(base::ExitCode::kInput, fmt::format("{}:{}: an id is missing", path.string(), number));
      keys_.push_back({base::xxh64(line, 1), base::xxh64(line, 2), keys_.size()});
    }
  }
  if (keys_.size() != rows)
    base::fail(base::ExitCode::kInput,
               fmt::format("{} and what follows it name {} rows, and the vector files hold {}: line i has "
                           "to name row i",
                           ids.front().string(), keys_.size(), rows));
  std::ranges::sort(keys_, {}, [](const Key& key) { return std::tuple(key.high, key.low, key.row); });
  const auto twice =
      std::ranges::adjacent_find(keys_, {}, [](const Key& key) { return order(key.high, key.low); });
  if (twice != keys_.end())
    base::fail(base::ExitCode::kInput,
               fmt::format("{} and what follows it give the rows {} and {} one id", ids.front().string(),
                           twice->row + 1, std::next(twice)->row + 1));
}

std::optional<std::uint64_t> StoredVectors::find(std::string_view id) const {
  const auto wanted = order(base::xxh64(id, 1), base::xxh64(id, 2));
  const auto key_of = [](const Key& key) { return order(key.high, key.low); };
  const auto found = std::ranges::lower_bound(keys_, wanted, {}, key_of);
  if (found == keys_.end() || key_of(*found) != wanted) return std::nullopt;
  return found->row;
}

void StoredVectors::read(std::uint64_t row, std::span<float> values) const {
  const auto file = static_cast<std::size_t>(std::ranges::upper_bound(begins_, row) - begins_.begin()) - 1;
  files_[file].read(row - begins_[file], 1, values);
}

}  // namespace quasar::dataset
