// Owns the step that writes what a ranked run keeps as training programs load it.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.h"
#include "dataset/data_set.h"
#include "exports/export.h"
#include "pipeline/run_config.h"

namespace quasar::pipeline {

/// Writes the exports of the configuration, or those named in `only`, one after the other. Throws
/// Error(kConfig) when there is none, or none of such a name, before any work, Error(kInput) at the end when
/// kept rows had to be left out, of which the message and files in the exports' folders tell, and what
/// exports::write_export() throws. Collective.
void export_step(const RunConfig& config, const dataset::DataSet& corpus,
                 const std::vector<std::string>& only, exports::RetryLeftOut retry,
                 const comm::Communicator& comm);

}  // namespace quasar::pipeline
