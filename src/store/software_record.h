// Owns RUN/software.json: what the embeddings of a run were made with, for steps that load less than that.
#pragma once

#include <map>
#include <string>

#include "store/run_layout.h"

namespace quasar::store {

/// Names and versions.
using Software = std::map<std::string, std::string>;

/// Replaces what is recorded, atomically. Throws Error(kOutput).
void write_software(const RunLayout& run, const Software& software);

/// What is recorded; empty where nothing is, as in runs of versions before 0.2. Throws Error(kInput), naming
/// the file, for one that is no JSON object of texts or may not be read.
Software read_software(const RunLayout& run);

}  // namespace quasar::store
