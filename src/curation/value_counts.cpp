#include "curation/value_counts.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/errors.h"

namespace quasar::curation {
namespace {

constexpr std::uint64_t kSign = std::uint64_t{1} << 63U;
/// From this ratio of the largest to the smallest on, bins of equal width would show the largest alone.
constexpr double kLogarithmicRatio = 30;

}  // namespace

std::uint64_t ValueCounts::code_of(double value) {
  // -0 is 0.
  const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

double ValueCounts::value_of(std::uint64_t code) {
  return std::bit_cast<double>((code & kSign) != 0 ? code & ~kSign : ~code);
}

void ValueCounts::add_code(std::uint64_t code, const KeptCount& count) {
  auto& counted = counts_[code >> shift_];
  counted.kept += count.kept;
  counted.dropped += count.dropped;
  while (counts_.size() > kMostValues) coarsen(shift_ + 1);
}

void ValueCounts::coarsen(unsigned shift) {
  std::map<std::uint64_t, KeptCount> coarse;
  for (const auto& [code, count] : counts_) {
    auto& counted = coarse[code >> (shift - shift_)];
    counted.kept += count.kept;
    counted.dropped += count.dropped;
  }
  counts_ = std::move(coarse);
  shift_ = shift;
}

void ValueCounts::merge(const ValueCounts& other) {
  if (other.shift_ > shift_) coarsen(other.shift_);
  for (const auto& [code, count] : other.counts_) add_code(code << other.shift_, count);
}

std::uint64_t ValueCounts::rows() const {
  std::uint64_t rows = 0;
  for (const auto& [code, count] : counts_) rows += count.kept + count.dropped;
  return rows;
}

KeptHistogram ValueCounts::histogram(std::size_t bins) const {
  QUASAR_CHECK(!counts_.empty() && bins > 0);
  KeptHistogram histogram;
  histogram.low = value_of(counts_.begin()->first << shift_);
  histogram.high = value_of(counts_.rbegin()->first << shift_);
  histogram.logarithmic = histogram.low > 0 && histogram.high / histogram.low > kLogarithmicRatio;
  histogram.kept.resize(bins);
  histogram.dropped.resize(bins);
  const auto at = [&](double value) { return histogram.logarithmic ? std::log(value) : value; };
  const double width = at(histogram.high) - at(histogram.low);
  for (const auto& [code, count] : counts_) {
    const double share = width > 0 ? (at(value_of(code << shift_)) - at(histogram.low)) / width : 0.5;
    // A width beyond what a double holds leaves no share.
    const double place = std::isfinite(share) ? std::floor(share * static_cast<double>(bins)) : 0;
    const auto bin = std::min(static_cast<std::size_t>(std::max(place, 0.0)), bins - 1);
    histogram.kept[bin] += count.kept;
    histogram.dropped[bin] += count.dropped;
  }
  return histogram;
}

std::vector<std::uint64_t> ValueCounts::packed() const {
  std::vector<std::uint64_t> numbers = {shift_};
  for (const auto& [code, count] : counts_) numbers.insert(numbers.end(), {code, count.kept, count.dropped});
  return numbers;
}

ValueCounts ValueCounts::unpacked(const std::vector<std::uint64_t>& numbers) {
  QUASAR_CHECK(numbers.size() % 3 == 1 && numbers.front() < 64);
  ValueCounts counts;
  counts.shift_ = static_cast<unsigned>(numbers.front());
  for (std::size_t i = 1; i < numbers.size(); i += 3)
    counts.counts_[numbers[i]] = {numbers[i + 1], numbers[i + 2]};
  return counts;
}

}  // namespace quasar::curation
