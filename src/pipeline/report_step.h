// Owns what the report of a run shows of its rows: pictures, decoded anew, and messages of failures.
#pragma once

#include "comm/communicator.h"
#include "curation/row_details.h"
#include "dataset/data_set.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

/// Finds rows by id among the shards of each rank, and makes thumbnails of those that are ok. `corpus`,
/// `config` and `comm` outlive it. `embeddings`: who has written them.
curation::FindDetails details_finder(const RunConfig& config, const dataset::DataSet& corpus,
                                     dataset::WrittenBy embeddings, const comm::Communicator& comm);

/// Makes RUN/report.html again, without ranking. Throws as curation::rewrite_report(). Collective.
void report_step(const RunConfig& config, const dataset::DataSet& corpus, const comm::Communicator& comm);

}  // namespace quasar::pipeline
