// Owns the explanation of one row of a ranking: all that the run knows of it, and why it is kept or dropped.
#pragma once

#include <string>

#include "dataset/data_set.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

/// What is known of the row of that id, as JSON (docs/file-formats.md). Reads the manifest twice, and rows
/// and vectors of all shards. Throws Error(kInput) when no row has the id, with the nearest one, or the run
/// is not ranked with a manifest.jsonl; Error(kMismatch) when rows and manifest do not go together.
std::string explanation_json(const RunConfig& config, const dataset::DataSet& corpus, const std::string& id);

/// The same for people.
std::string explanation_text(const std::string& json);

}  // namespace quasar::pipeline
