// Owns anchor sets that one rank makes alone, as they take no pictures: the others read what it has written.
#pragma once

#include <functional>

#include "comm/communicator.h"
#include "pipeline/run_config.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

/// Has root `make` the set and write it to RUN/anchors/NAME.h5; every rank returns it. Collective.
store::AnchorSet make_on_root(const RunConfig& config, const AnchorSource& source,
                              const std::function<store::AnchorSet()>& make, const comm::Communicator& comm);

}  // namespace quasar::pipeline
