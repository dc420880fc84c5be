#include "curation/report_tally.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <variant>

#include "base/errors.h"
#include "curation/cell_text.h"

namespace quasar::curation {
namespace {

using nlohmann::json;

/// Beyond it a number is no measure of a picture, and cannot be drawn.
constexpr double kLargestValue = 1e300;

std::string text_of(const Cell& cell) {
  const auto* text = std::get_if<std::string_view>(&cell);
  return text == nullptr ? std::string() : as_json_reads(*text);
}

/// As manifests have it; empty for none.
std::string number_text(CellType type, const Cell& cell) {
  std::string text;
  // A manifest that was read has whole numbers where a percentile has no decimals.
  if (const auto* whole = std::get_if<std::uint64_t>(&cell); whole != nullptr) return std::to_string(*whole);
  append_csv(type, cell, text);
  return text;
}

std::optional<double> number_of(const Cell& cell) {
  if (const auto* count = std::get_if<std::uint64_t>(&cell)) return static_cast<double>(*count);
  if (const auto* score = std::get_if<float>(&cell)) return static_cast<double>(*score);
  if (const auto* number = std::get_if<double>(&cell)) return *number;
  return std::nullopt;
}

std::uint64_t count_of(const Cell& cell) {
  const auto* count = std::get_if<std::uint64_t>(&cell);
  return count == nullptr ? 0 : *count;
}

/// The number that a field is, or that its text is from end to end.
std::optional<double> number_of(const json& value) {
  if (value.is_number()) return value.get<double>();
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) return std::nullopt;
  double number = 0;
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (fault != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

bool can_be_counted(std::optional<double> value) {
  return value && std::abs(*value) <= kLargestValue;
}

json packed(const ReportRow& row) {
  return {row.rank, row.score, row.percentile, row.keep, row.id, row.reason, row.duplicate_of, row.distance};
}

template <typename Rows>
json packed(const Rows& rows) {
  auto all = json::array();
  for (const auto& row : rows) all.push_back(packed(row));
  return all;
}

template <typename Rows>
void append(const json& packed, Rows& rows) {
  for (const auto& row : packed)
    rows.push_back({row.at(0), row.at(1), row.at(2), row.at(3), row.at(4), row.at(5), row.at(6), row.at(7)});
}

template <typename Rows>
void keep_first(std::size_t most, Rows& rows) {
  if (rows.size() > most) rows.resize(most);
}

}  // namespace

bool is_keep_rule_reason(std::string_view reason) {
  return reason == "below_threshold" || reason.starts_with("beyond_");
}

ReportTally::ReportTally(const Columns& columns, const std::string& ranked_by, std::uint64_t scored)
    : columns_(columns), scored_(scored), at_() {
  const auto place = [&](std::string_view name) -> std::optional<std::size_t> {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].name == name) return c;
    }
    return std::nullopt;
  };
  at_ = {columns.index_of("rank"),
         columns.id(),
         columns.index_of("bytes"),
         columns.index_of(ranked_by),
         columns.index_of("percentile"),
         columns.index_of("width"),
         columns.index_of("height"),
         columns.index_of("status"),
         columns.index_of("keep"),
         columns.index_of("reason"),
         columns.index_of("format"),
         columns.index_of("label"),
         columns.index_of("fields"),
         place("duplicate_of"),
         place("distance"),
         place("group_size")};
}

void ReportTally::add(const ManifestRow& row) {
  const auto* flag = std::get_if<bool>(&row[at_.keep]);
  const bool keep = flag != nullptr && *flag;
  add_values(row, keep);
  add_shown(row, keep);
}

void ReportTally::add_values(const ManifestRow& row, bool keep) {
  const auto count = [&](const std::string& name, std::optional<double> value) {
    if (can_be_counted(value)) values_[name].add(*value, keep);
  };
  for (std::size_t s = 0; s < columns_.scores(); ++s) {
    const std::size_t c = columns_.first_score() + s;
    count(columns_[c].name, number_of(row[c]));
  }
  const auto width = number_of(row[at_.width]).value_or(0);
  const auto height = number_of(row[at_.height]).value_or(0);
  if (width > 0 && height > 0) {
    // No score has a slash in its name.
    count("/shorter side", std::min(width, height));
    count("/aspect", std::max(width, height) / std::min(width, height));
  }
  if (count_of(row[at_.bytes]) > 0) count("/bytes", number_of(row[at_.bytes]));
  count("/label", number_of(row[at_.label]));
  if (const auto format = text_of(row[at_.format]); !format.empty()) {
    auto& rows = formats_[format];
    ++(keep ? rows.kept : rows.dropped);
  }
  if (const auto* fields = std::get_if<std::string_view>(&row[at_.fields])) add_fields(*fields, keep);
}

void ReportTally::add_fields(std::string_view fields, bool keep) {
  const auto object = json::parse(fields, nullptr, false);
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.items()) {
    if (value.is_null() || value == json("")) continue;
    // A name that is let go has as many before it, and so never comes back.
    if (fields_.size() == kDrawnFields && !fields_.contains(name) && name > fields_.rbegin()->first) {
      more_fields_ = true;
      continue;
    }
    auto& field = fields_[name];
    const auto number = number_of(value);
    if (can_be_counted(number)) {
      field.numbers.add(*number, keep);
    } else {
      ++field.others;
    }
    trim();
  }
}

void ReportTally::trim() {
  while (fields_.size() > kDrawnFields) {
    fields_.erase(std::prev(fields_.end()));
    more_fields_ = true;
  }
  while (groups_.size() > kListedGroups) groups_.erase(std::prev(groups_.end()));
}

void ReportTally::add_shown(const ManifestRow& row, bool keep) {
  const auto rank = count_of(row[at_.rank]);
  const auto reason = std::get_if<std::string_view>(&row[at_.reason]);
  const bool cut = rank != 0 && reason != nullptr && is_keep_rule_reason(*reason);
  const auto middle = scored_ / 2 + 1;
  const bool best = rank != 0 && rank <= kListedRows;
  const bool worst = rank != 0 && rank + kListedRows > scored_;
  const bool median =
      rank != 0 && rank + kListedRows / 2 >= middle && rank < middle + kListedRows - kListedRows / 2;
  const bool of_other_set = reason != nullptr && reason->starts_with("against: ");
  // Of copies of another set's picture none stays.
  const auto group = at_.group_size && !of_other_set ? count_of(row[*at_.group_size]) : 0;
  const auto copy_of = at_.duplicate_of ? text_of(row[*at_.duplicate_of]) : std::string();
  const bool first_cut = cut && first_cut_.size() < kBorderlineRows;
  const bool against = of_other_set && of_other_sets_.size() < kExamples;
  auto* failures = rank == 0 ? &failures_[text_of(row[at_.status])] : nullptr;
  if (failures != nullptr && failures->size() >= kExamples) failures = nullptr;
  // Made only where it is wanted: of most rows nothing is shown.
  if (!best && !worst && !median && !keep && !first_cut && !against && group < 2 && failures == nullptr)
    return;
  const ReportRow shown{rank,
                        number_text(CellType::kScore, row[at_.score]),
                        number_text(CellType::kPercentile, row[at_.percentile]),
                        keep,
                        text_of(row[at_.id]),
                        text_of(row[at_.reason]),
                        copy_of,
                        at_.distance ? number_text(CellType::kNumber, row[*at_.distance]) : ""};
  if (best) best_.push_back(shown);
  if (worst) worst_.push_back(shown);
  if (median) median_.push_back(shown);
  if (first_cut) first_cut_.push_back(shown);
  if (against) of_other_sets_.push_back(shown);
  if (failures != nullptr) failures->push_back(shown);
  if (keep) {
    last_kept_.push_back(shown);
    if (last_kept_.size() > kBorderlineRows) last_kept_.pop_front();
  }
  if (group >= 2) {
    const std::pair key(~group, copy_of.empty() ? shown.id : copy_of);
    if (groups_.size() == kListedGroups && groups_.rbegin()->first < key) return;
    auto& rows = groups_[key];
    if (rows.size() < kListedOfGroup) rows.push_back(shown);
    trim();
  }
}

std::vector<std::pair<std::string, const ValueCounts*>> ReportTally::numeric_fields() const {
  std::vector<std::pair<std::string, const ValueCounts*>> numeric;
  for (const auto& [name, field] : fields_) {
    if (field.numbers.rows() > field.others) numeric.emplace_back(name, &field.numbers);
  }
  return numeric;
}

std::vector<ReportTally::Group> ReportTally::groups() const {
  std::vector<Group> groups;
  for (const auto& [key, rows] : groups_) groups.push_back({~key.first, rows});
  return groups;
}

std::string ReportTally::packed() const {
  auto all = json::object();
  for (const auto& [name, counts] : values_) all["values"][name] = counts.packed();
  for (const auto& [name, field] : fields_) all["fields"][name] = {field.numbers.packed(), field.others};
  all["more_fields"] = more_fields_;
  for (const auto& [name, count] : formats_) all["formats"][name] = {count.kept, count.dropped};
  all["best"] = curation::packed(best_);
  all["median"] = curation::packed(median_);
  all["worst"] = curation::packed(worst_);
  all["first_cut"] = curation::packed(first_cut_);
  all["of_other_sets"] = curation::packed(of_other_sets_);
  all["last_kept"] = curation::packed(last_kept_);
  for (const auto& [status, rows] : failures_) all["failures"][status] = curation::packed(rows);
  for (const auto& [key, rows] : groups_)
    all["groups"].push_back({key.first, key.second, curation::packed(rows)});
  return all.dump();
}

void ReportTally::merge(const std::string& packed) {
  const auto all = json::parse(packed, nullptr, false);
  QUASAR_CHECK(all.is_object());
  static const auto kNone = json::object();
  const auto part = [&](const char* name) -> const json& {
    const auto found = all.find(name);
    return found == all.end() ? kNone : *found;
  };
  for (const auto& [name, counts] : part("values").items())
    values_[name].merge(ValueCounts::unpacked(counts.get<std::vector<std::uint64_t>>()));
  for (const auto& [name, field] : part("fields").items()) {
    fields_[name].numbers.merge(ValueCounts::unpacked(field.at(0).get<std::vector<std::uint64_t>>()));
    fields_[name].others += field.at(1).get<std::uint64_t>();
  }
  more_fields_ = more_fields_ || all.at("more_fields").get<bool>();
  for (const auto& [name, count] : part("formats").items()) {
    formats_[name].kept += count.at(0).get<std::uint64_t>();
    formats_[name].dropped += count.at(1).get<std::uint64_t>();
  }
  append(all.at("best"), best_);
  append(all.at("median"), median_);
  append(all.at("worst"), worst_);
  append(all.at("first_cut"), first_cut_);
  append(all.at("of_other_sets"), of_other_sets_);
  append(all.at("last_kept"), last_kept_);
  for (const auto& [status, rows] : part("failures").items()) {
    append(rows, failures_[status]);
    keep_first(kExamples, failures_[status]);
  }
  for (const auto& group : part("groups")) {
    auto& rows = groups_[{group.at(0).get<std::uint64_t>(), group.at(1).get<std::string>()}];
    append(group.at(2), rows);
    keep_first(kListedOfGroup, rows);
  }
  keep_first(kBorderlineRows, first_cut_);
  keep_first(kExamples, of_other_sets_);
  while (last_kept_.size() > kBorderlineRows) last_kept_.pop_front();
  trim();
}

}  // namespace quasar::curation
