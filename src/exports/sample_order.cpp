#include "exports/sample_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace quasar::exports {
namespace {

constexpr std::size_t kLeastDigits = 4;

}  // namespace

std::vector<ManifestLine> read_lines(const Manifest& manifest, std::span<const KeptRow> rows) {
  std::vector<ManifestLine> lines;
  lines.reserve(rows.size());
  for (const auto& row : rows) lines.push_back(manifest.read(row.offset, row.length));
  return lines;
}

std::vector<std::size_t> reading_order(std::span<const ManifestLine> lines) {
  std::vector<std::size_t> order(lines.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto& first = lines[a].item;
    const auto& second = lines[b].item;
    return std::tie(first.source, first.offset, a) < std::tie(second.source, second.offset, b);
  });
  return order;
}

std::string sample_key(const ExportConfig& config, std::uint64_t shard, std::uint64_t row) {
  const auto digits = std::max(kLeastDigits, std::to_string(config.rows - 1).size());
  return fmt::format("{:05}{:0{}}", shard, row, digits);
}

}  // namespace quasar::exports
