// Internal to the module: how values print, in CSV and in JSON.
#pragma once

#include <string>
#include <string_view>

#include "curation/column.h"

namespace quasar::curation {

/// Appends a cell as a field of CSV (RFC 4180); nothing where there is no value. Texts are never changed,
/// numbers have the fewest digits that read back to the same value, percentiles up to six decimals.
void append_csv(CellType type, const Cell& cell, std::string& text);
/// Appends a cell as JSON; null where there is no value, a number that is not finite, or an object that is
/// none.
void append_json(CellType type, const Cell& cell, std::string& text);

/// Appends a string as JSON, quotes included; bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string_view value, std::string& text);
/// What append_json_string() has appended, as it reads.
std::string as_json_reads(std::string_view value);
/// The fewest digits that read back to the same value.
std::string shortest(float value);
std::string shortest(double value);

}  // namespace quasar::curation
