// Internal to the module: report.html of a ranking.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "curation/curation_config.h"
#include "curation/curation_result.h"

namespace quasar::curation {

/// A row as the report lists it.
struct ReportRow {
  std::uint64_t rank = 0;
  float score = 0;  ///< That it is ranked by.
  double percentile = 0;
  bool keep = false;
  std::string id;
  std::string reason;
};

/// Rows listed from each end of the ranking.
inline constexpr std::uint64_t kListedRows = 20;

/// A page that needs no other file: counts, a histogram of each score, the best and the worst rows. All texts
/// of the corpus are escaped.
std::string report_html(const CurationResult& result, const CurationConfig& config,
                        const std::map<std::string, std::string>& versions, std::span<const ReportRow> best,
                        std::span<const ReportRow> worst);

}  // namespace quasar::curation
