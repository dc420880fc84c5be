// Owns the reading of what another rank of the job has just written, which this host may not see yet.
#pragma once

#include <filesystem>
#include <functional>

#include "comm/communicator.h"
#include "corpus/plan.h"

namespace quasar::pipeline {

/// Who has written what is about to be read.
enum class WrittenBy {
  kEarlierJob,  ///< It may as well be missing.
  kThisJob,     ///< It is there; a host that does not see it yet waits.
};

/// Waits until this host sees a file that another rank has written. Throws Error(kInput) with the cause when
/// it is not seen for a long time, Error(kInterrupted) on a wish to stop.
void await_written(const std::filesystem::path& path);
/// The same until `ready` holds, for a file that was written anew.
void await_written(const std::filesystem::path& path, const std::function<bool()>& ready);

/// The plan in `folder`, on every rank as root reads it. Collective. Throws as Plan::load() does.
corpus::Plan load_plan(const std::filesystem::path& folder, const comm::Communicator& comm);

}  // namespace quasar::pipeline
