// Internal to the module: what the report says of the rows of a manifest, gathered in one pass over them: how
// values are spread among the rows kept and dropped, and the rows that are shown. Memory does not grow with
// the rows. Tallies of consecutive parts, merged in their order, are the tally of the whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "curation/column.h"
#include "curation/manifest_row.h"
#include "curation/value_counts.h"

namespace quasar::curation {

/// Pictures shown of each end, the middle, and each side of the cut.
inline constexpr std::size_t kListedRows = 12;
inline constexpr std::size_t kBorderlineRows = 6;
/// Groups of duplicates shown, and rows of each.
inline constexpr std::size_t kListedGroups = 12;
inline constexpr std::size_t kListedOfGroup = 6;
/// Examples of each kind of failure, and rows of other sets.
inline constexpr std::size_t kExamples = 5;
/// Fields of the corpus whose numbers are drawn: the first by name.
inline constexpr std::size_t kDrawnFields = 24;

/// A row as the report shows it; texts as the JSON of a manifest has them.
struct ReportRow {
  std::uint64_t rank = 0;  ///< 0: none.
  std::string score;       ///< That it is ranked by.
  std::string percentile;
  bool keep = false;
  std::string id;
  std::string reason;
  std::string duplicate_of;
  std::string distance;
};

class ReportTally {
 public:
  /// `ranked_by`: name of the column that rows are ranked by. `scored`: rows with scores in the whole run.
  /// `columns` outlive the tally.
  ReportTally(const Columns& columns, const std::string& ranked_by, std::uint64_t scored);

  /// Takes the next row.
  void add(const ManifestRow& row);
  /// All that was gathered, as text for another rank.
  std::string packed() const;
  /// Adds what a tally of the rows that follow has packed. Throws Error(kInternal) for what is none.
  void merge(const std::string& packed);

  /// Of scores by name, "shorter side", "aspect", "bytes", "label".
  const std::map<std::string, ValueCounts>& values() const { return values_; }
  /// Fields of the corpus most of whose values are numbers, by name.
  std::vector<std::pair<std::string, const ValueCounts*>> numeric_fields() const;
  bool has_more_fields() const { return more_fields_; }
  const std::map<std::string, KeptCount>& formats() const { return formats_; }
  const std::vector<ReportRow>& best() const { return best_; }
  const std::vector<ReportRow>& median() const { return median_; }
  const std::vector<ReportRow>& worst() const { return worst_; }
  /// The last rows that are kept, and the first that the keep rule drops.
  const std::deque<ReportRow>& last_kept() const { return last_kept_; }
  const std::vector<ReportRow>& first_cut() const { return first_cut_; }
  /// By status: the first rows that failed.
  const std::map<std::string, std::vector<ReportRow>>& failures() const { return failures_; }
  /// The first rows that are copies of rows of other sets.
  const std::vector<ReportRow>& of_other_sets() const { return of_other_sets_; }

  /// The largest groups of duplicates: size, largest first, and the first rows, the one that is kept first.
  struct Group {
    std::uint64_t rows = 0;
    std::vector<ReportRow> listed;
  };
  std::vector<Group> groups() const;

 private:
  struct Field {
    ValueCounts numbers;
    std::uint64_t others = 0;  ///< Rows with a value that is no number.
  };
  struct Places {
    std::size_t rank, id, bytes, score, percentile, width, height, status, keep, reason, format, label,
        fields;
    std::optional<std::size_t> duplicate_of, distance, group_size;
  };
  void add_values(const ManifestRow& row, bool keep);
  void add_fields(std::string_view fields, bool keep);
  void add_shown(const ManifestRow& row, bool keep);
  /// Keeps only the first names, and the largest groups.
  void trim();

  const Columns& columns_;
  std::uint64_t scored_;
  Places at_;
  std::map<std::string, ValueCounts> values_;
  std::map<std::string, Field> fields_;
  bool more_fields_ = false;
  std::map<std::string, KeptCount> formats_;
  std::vector<ReportRow> best_, median_, worst_, first_cut_, of_other_sets_;
  std::deque<ReportRow> last_kept_;
  std::map<std::string, std::vector<ReportRow>> failures_;
  /// By size, from above, and id of the row that is kept.
  std::map<std::pair<std::uint64_t, std::string>, std::vector<ReportRow>> groups_;
};

/// Whether the reason is that of a row which the keep rule alone has dropped.
bool is_keep_rule_reason(std::string_view reason);

}  // namespace quasar::curation
