// Internal to the module: summary.json of a ranking.
#pragma once

#include <map>
#include <string>

#include "curation/curation_config.h"
#include "curation/curation_result.h"
#include "curation/written_files.h"

namespace quasar::curation {

/// The counts, statistics, settings and software of a ranking, and what it wrote, as indented JSON.
std::string summary_json(const CurationResult& result, const CurationConfig& config,
                         const std::map<std::string, std::string>& versions, const WrittenFiles& files);

}  // namespace quasar::curation
