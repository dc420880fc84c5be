#include "anchors/splits.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/random.h"

namespace quasar::anchors {
namespace {

struct HashOfKey {
  std::size_t operator()(const NameKey& key) const { return static_cast<std::size_t>(key.low); }
};

void keep_share(std::vector<std::int64_t>& rows, double ratio, base::Random& random) {
  if (ratio >= 1.0) return;
  random.shuffle(std::span(rows));
  rows.resize(static_cast<std::size_t>(rounded_share(static_cast<std::int64_t>(rows.size()), ratio)));
}

void check_sides(const AnchorSplit& split, const std::string& what) {
  if (!split.good.empty() && !split.bad.empty()) return;
  base::fail(base::ExitCode::kInput, "the anchor data gives " + std::to_string(split.good.size()) +
                                         " good and " + std::to_string(split.bad.size()) +
                                         " bad rows, and both are needed; " + what);
}

double median_of(std::vector<double> values) {
  const std::size_t half = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2.0;
}

}  // namespace

NameKey::NameKey(std::string_view name) {
  if (name.empty()) return;
  high = base::xxh64(name, 1);
  low = base::xxh64(name, 2);
}

std::string plain_row_name(std::int64_t number) {
  return "row " + std::to_string(number);
}

std::int64_t rounded_share(std::int64_t count, double ratio) {
  // nearbyint obeys the default rounding mode: to nearest, halves to even.
  return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(count) * ratio));
}

AnchorSplit split_full_reference(std::span<const LabelledRow> rows, double ratio, std::uint64_t seed,
                                 const RowName& name_of) {
  AnchorSplit split;
  std::vector<const LabelledRow*> references;
  std::unordered_set<NameKey, HashOfKey> names;
  for (const auto& row : rows) {
    if (!row.reference.empty()) {
      if (row.usable) ++split.bad_before;
      continue;
    }
    names.insert(row.image);
    if (row.usable) references.push_back(&row);
  }
  for (const auto& row : rows) {
    if (!row.reference.empty() && names.count(row.reference) == 0) {
      base::fail(base::ExitCode::kInput, "the anchor data holds " + name_of(row.number) +
                                             ", made from an image that is not among the pristine ones");
    }
  }
  split.good_before = static_cast<std::int64_t>(references.size());
  if (ratio < 1.0) {
    base::Random random(seed);
    random.shuffle(std::span(references));
    references.resize(static_cast<std::size_t>(rounded_share(split.good_before, ratio)));
  }
  std::unordered_set<NameKey, HashOfKey> kept;
  for (const auto* row : references) {
    split.good.push_back(row->number);
    kept.insert(row->image);
  }
  for (const auto& row : rows) {
    if (row.usable && !row.reference.empty() && kept.count(row.reference) > 0)
      split.bad.push_back(row.number);
  }
  check_sides(
      split,
      "full-reference data consists of pristine images and of rows that name the one they are made from");
  return split;
}

AnchorSplit split_no_reference(std::span<const LabelledRow> rows, std::optional<double> offset, double ratio,
                               std::uint64_t seed) {
  std::unordered_map<NameKey, double, HashOfKey> by_name;
  std::vector<const LabelledRow*> usable;
  for (const auto& row : rows) {
    if (!row.usable || !std::isfinite(row.label)) continue;
    usable.push_back(&row);
    by_name[row.image] = row.label;
  }
  AnchorSplit split;
  if (usable.empty()) check_sides(split, "no row has a finite label");
  std::vector<double> labels;
  labels.reserve(by_name.size());
  for (const auto& [name, label] : by_name) labels.push_back(label);
  split.median = median_of(std::move(labels));

  std::vector<const LabelledRow*> good;
  std::vector<const LabelledRow*> bad;
  for (const auto* row : usable) (row->label > split.median ? good : bad).push_back(row);
  std::stable_sort(good.begin(), good.end(),
                   [](const auto* a, const auto* b) { return a->label > b->label; });
  std::stable_sort(bad.begin(), bad.end(), [](const auto* a, const auto* b) { return a->label < b->label; });
  if (offset) {
    const std::size_t n = good.size() - static_cast<std::size_t>(static_cast<double>(good.size()) * *offset);
    good.resize(n);
    bad.resize(std::min(n, bad.size()));
  }
  for (const auto* row : good) split.good.push_back(row->number);
  for (const auto* row : bad) split.bad.push_back(row->number);
  split.good_before = static_cast<std::int64_t>(good.size());
  split.bad_before = static_cast<std::int64_t>(bad.size());
  base::Random random(seed);
  keep_share(split.good, ratio, random);
  keep_share(split.bad, ratio, random);
  check_sides(split, "labels must differ, so that some lie above their median");
  return split;
}

}  // namespace quasar::anchors
