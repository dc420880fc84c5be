// Internal to the module: one row of the manifest, as it travels through the sort and as a line of CSV and
// JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace quasar::curation {

/// What a row brings with it. Views; the owner outlives them.
struct ManifestRow {
  std::string_view id;
  std::string_view source;
  std::string_view member;
  std::string_view hash;
  std::string_view fields;  ///< A JSON object, or empty.
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  base::RowStatus status = base::RowStatus::kOk;
  double label = 0;  ///< NaN when there is none.
  std::vector<float>
      scores;  ///< One per name of the manifest's score columns, combined last when it has one.
};

/// What the ranking adds to it.
struct RankedFacts {
  std::uint64_t rank = 0;  ///< 1-based; 0 for a failed row.
  double percentile = 0;
  bool keep = false;
  std::string_view reason;
};

/// Which of the optional columns the manifest has.
struct ManifestShape {
  std::vector<std::string> score_columns;
  bool label = false;
  bool fields = false;
};

/// Everything but the id, as bytes; `packed` is overwritten.
void pack_row(const ManifestRow& row, std::string& packed);
/// The inverse; `row` refers to `packed` and `id`.
void unpack_row(std::string_view id, std::string_view packed, ManifestRow& row);

/// The header of the CSV, with its line end.
std::string csv_header(const ManifestShape& shape);
/// Appends one line of CSV (RFC 4180, but lines end in LF) or of JSON. Ids are never changed. Numbers have
/// the fewest digits that read back to the same value; percentiles have up to six decimals.
void append_csv(const ManifestShape& shape, const ManifestRow& row, const RankedFacts& facts,
                std::string& text);
void append_json(const ManifestShape& shape, const ManifestRow& row, const RankedFacts& facts,
                 std::string& text);

/// Appends a string as JSON, quotes included; bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string_view value, std::string& text);
/// The fewest digits that read back to the same value.
std::string shortest(float value);
std::string shortest(double value);

}  // namespace quasar::curation
