#include "corpus/sources/repeated_rows.h"

#include <algorithm>
#include <utility>

namespace quasar::corpus {
namespace {

constexpr const char* kJoinedRows = "rows joined with another row of their image (repeated: join)";
constexpr const char* kOwnRows = "rows that name an image again, as images of their own (repeated: rows)";
constexpr const char* kOtherValues = "labels and deviations that differ from the first of their image";

/// Whether it ends in "@" and digits.
bool is_numbered(std::string_view id) {
  const auto at = id.rfind('@');
  return at != std::string_view::npos && at + 1 < id.size() &&
         id.find_first_not_of("0123456789", at + 1) == std::string_view::npos;
}

/// Takes a value where there was none yet. False when it differs from the one there is.
template <typename T>
bool take_first(std::optional<T>& first, const std::optional<T>& value) {
  if (!first) first = value;
  return !value || *value == *first;
}

void take_first(std::string& first, std::string& value) {
  if (first.empty()) first = std::move(value);
}

}  // namespace

void IdCounts::add(std::string_view id) {
  hashes_.push_back(id_hash(id));
  if (is_numbered(id)) numbered_.insert(hashes_.back());
}

void IdCounts::finish() {
  std::sort(hashes_.begin(), hashes_.end());
  for (auto begin = hashes_.begin(); begin != hashes_.end();) {
    const auto end = std::upper_bound(begin, hashes_.end(), *begin);
    if (end - begin > 1) repeated_[*begin] = static_cast<std::uint64_t>(end - begin);
    begin = end;
  }
  hashes_ = {};
}

std::uint64_t IdCounts::rows_of(std::string_view id) const {
  if (repeated_.empty()) return 1;
  const auto found = repeated_.find(id_hash(id));
  return found == repeated_.end() ? 1 : found->second;
}

bool IdCounts::has_numbered(std::string_view id) const {
  return !numbered_.empty() && numbered_.contains(id_hash(id));
}

RepeatedRows::RepeatedRows(Repeated mode, const IdCounts& ids, ItemSink& sink, SourceCounts& counts,
                           std::string further)
    : mode_(mode), ids_(ids), sink_(sink), counts_(counts), further_(std::move(further)) {}

void RepeatedRows::add(Item item) {
  ++row_;
  if (ids_.rows_of(item.id) == 1) return sink_.add(std::move(item));
  if (mode_ == Repeated::kJoin) return join(std::move(item));
  if (mode_ == Repeated::kRows) {
    if (auto& number = ++rows_seen_[item.id]; number > 1) {
      // Past numbers that another row has as its own id.
      auto id = item.id + "@" + std::to_string(number);
      while (ids_.has_numbered(id)) id = item.id + "@" + std::to_string(++number);
      item.id = std::move(id);
      ++counts_.noted[kOwnRows];
    }
    return sink_.add(std::move(item));
  }
  const auto [first, is_new] = first_.emplace(item.id, item.source);
  if (!is_new && first->second == item.source) {
    ++counts_.left_out[further_];
    return;
  }
  sink_.add(std::move(item));
}

void RepeatedRows::join(Item item) {
  const std::uint64_t wanted = ids_.rows_of(item.id);
  const std::string id = item.id;
  auto [place, is_new] = waiting_.try_emplace(id);
  Joined& joined = place->second;
  if (is_new) {
    joined.first_row = row_;
    joined.values.resize(item.fields.size());
    joined.item = item;
  } else if (joined.item.source != item.source) {
    return sink_.add(std::move(item));
  } else {
    ++counts_.noted[kJoinedRows];
    const bool same_label = take_first(joined.item.label, item.label);
    const bool same_deviation = take_first(joined.item.deviation, item.deviation);
    if (!same_label || !same_deviation) ++counts_.left_out[kOtherValues];
    take_first(joined.item.reference, item.reference);
    take_first(joined.item.split, item.split);
  }
  for (std::size_t i = 0; i < item.fields.size(); ++i) {
    auto& values = joined.values[i];
    auto& value = item.fields[i].second;
    if (!value.empty() && std::find(values.begin(), values.end(), value) == values.end())
      values.push_back(std::move(value));
  }
  if (++joined.rows < wanted) return;
  pass_on(std::move(joined));
  waiting_.erase(id);
}

void RepeatedRows::pass_on(Joined joined) {
  for (std::size_t i = 0; i < joined.values.size(); ++i) {
    std::string text;
    for (const auto& value : joined.values[i]) text.append(text.empty() ? "" : "\n").append(value);
    joined.item.fields[i].second = std::move(text);
  }
  sink_.add(std::move(joined.item));
}

void RepeatedRows::finish() {
  // What shared a hash with another id waits for rows that do not come.
  std::vector<Joined> left;
  for (auto& [id, joined] : waiting_) left.push_back(std::move(joined));
  waiting_.clear();
  std::sort(left.begin(), left.end(),
            [](const Joined& a, const Joined& b) { return a.first_row < b.first_row; });
  for (auto& joined : left) pass_on(std::move(joined));
}

}  // namespace quasar::corpus
