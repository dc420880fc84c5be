// Owns the reading of what another rank of the job has just written, which this host may not see yet.
#pragma once

#include <filesystem>
#include <functional>

namespace quasar::dataset {

/// Waits until this host sees a file that another rank has written. Throws Error(kInput) with the cause when
/// it is not seen for a long time, Error(kInterrupted) on a wish to stop.
void await_written(const std::filesystem::path& path);
/// The same until `ready` holds, for a file that was written anew.
void await_written(const std::filesystem::path& path, const std::function<bool()>& ready);

}  // namespace quasar::dataset
