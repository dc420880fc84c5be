// Internal to the module: report.html of a ranking.
#pragma once

#include <string>
#include <vector>

#include "curation/report_tally.h"
#include "curation/row_details.h"

namespace quasar::curation {

/// The rows that the page shows something of beside what the manifest has, each once.
std::vector<std::string> shown_ids(const ReportTally& tally);

/// A page that needs no other file. `summary`: text of summary.json, of which the list of written files is
/// not looked at. All texts of the corpus are escaped. Throws Error(kInput) for a summary that is none.
std::string report_html(const std::string& summary, const ReportTally& tally, const RowDetails& details);

}  // namespace quasar::curation
