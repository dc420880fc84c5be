// Owns the making of a report without ranking.
#pragma once

#include "comm/communicator.h"
#include "curation/row_details.h"
#include "store/run_layout.h"

namespace quasar::curation {

/// Makes RUN/report.html again from RUN/manifest.jsonl and RUN/summary.json, byte for byte as the ranking
/// made it where the details are found as then; the summary knows the new one. Root reads the manifest.
/// Collective. Throws Error(kInput) when one is missing, Error(kMismatch) when they are not of one ranking,
/// or another job is ranking the run.
void rewrite_report(const store::RunLayout& run, const FindDetails& find_details,
                    const comm::Communicator& comm);

}  // namespace quasar::curation
