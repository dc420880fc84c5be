// Owns the filters of a ranking: what a row must be like to be kept, whatever its rank.
//
//   curation:
//     filter_presets: [datacomp-basic]                       # filters that others use, by name
//     filters:                                               # and one's own: NAME: what it asks
//       large: {column: min_side, at_least: 200}
//       language: {column: LANGUAGE, one_of: [en, de]}
//       safe: {column: punsafe, at_most: 0.1, missing: keep}
//
// A column is a score, something that is known of every row, or a field of the corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_node.h"
#include "base/status.h"
#include "store/embedding_shard.h"

namespace quasar::curation {

/// One filter. A row passes when all that is given holds of its value.
struct FilterRule {
  std::string name;    ///< As reasons have it.
  std::string column;  ///< As the configuration has it.
  std::optional<double> at_least = {};
  std::optional<double> at_most = {};
  std::vector<std::string> one_of = {};  ///< Texts, one of which the value is; empty: any.
  std::string matches = {};              ///< Regular expression of RE2, found anywhere in it; empty: none.
  bool keep_missing = false;             ///< What becomes of a row without a value.
  std::string where = {};                ///< Place in the configuration, for messages.
};

/// The filters of a section `curation`: those of its presets, then its own. Throws Error(kConfig) for unknown
/// presets, filters that ask nothing, bounds that exclude each other, or what is no regular expression.
std::vector<FilterRule> filters_from_yaml(const base::ConfigNode& curation);

/// Whether one of them is of a column that is neither a score (`sets` and the combined one) nor known of
/// every row: a field of the corpus, if it has one of that name.
bool may_need_fields(std::span<const FilterRule> filters, const std::vector<std::string>& sets);
/// Throws Error(kConfig), with the filter's place and the nearest name, for a filter whose column is nothing
/// at all. `fields`: names of the fields that the corpus has.
void check_filter_columns(std::span<const FilterRule> filters, const std::vector<std::string>& sets,
                          const std::set<std::string>& fields);

/// What filters found in one row.
struct FilterFault {
  std::size_t filter = 0;  ///< The first that the row does not pass.
  bool missing = false;    ///< It has no value there.
};

/// Rows that do not pass a filter, whatever other filters say of them.
struct FilterCount {
  std::uint64_t failed = 0;   ///< Those without a value among them.
  std::uint64_t missing = 0;  ///< Without a value, whether dropped for it or not.
};

/// Applies filters. Not thread-safe.
class Filters {
 public:
  /// `scores`: names of all scores of the manifest. Throws Error(kConfig) as filters_from_yaml() does.
  Filters(std::span<const FilterRule> rules, std::span<const std::string> scores);
  ~Filters();
  Filters(Filters&&) noexcept;
  Filters& operator=(Filters&&) = delete;
  Filters(const Filters&) = delete;
  Filters& operator=(const Filters&) = delete;

  /// Looks at a row with its scores, one for each name, and counts. Nothing when it passes all.
  std::optional<FilterFault> apply(const store::RowRecord& row, std::span<const float> scores);
  /// What the row has in a filter's column, as text; empty where it has no value. `scores` as apply(), or
  /// none.
  std::string value(std::size_t filter, const store::RowRecord& row, std::span<const float> scores);
  /// One for each rule.
  std::vector<FilterCount>& counts();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "filter: NAME", or "filter: NAME (no value)".
std::string filter_reason(const FilterRule& rule, bool missing);

}  // namespace quasar::curation
