// Internal to the module: a rank's way through its share of the rows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/progress.h"
#include "comm/communicator.h"

namespace quasar::curation {

/// Looks out for a wish to stop now and then, and reports root's share, to which those of the other ranks are
/// alike.
class ShareProgress {
 public:
  /// Of `rows` rows in the phase `what`; few rows, and none, are not worth reporting. `stop_requested` may be
  /// empty and outlives the object. Throws Error(kInterrupted) when it says so, here and in count().
  ShareProgress(const char* what, std::uint64_t rows, const std::function<bool()>& stop_requested,
                const comm::Communicator& comm);
  ~ShareProgress();
  ShareProgress(const ShareProgress&) = delete;
  ShareProgress& operator=(const ShareProgress&) = delete;
  /// One more row is done.
  void count();

 private:
  void look_out() const;

  const std::function<bool()>& stop_requested_;
  std::optional<base::Progress> progress_;
  std::uint64_t done_ = 0;
};

}  // namespace quasar::curation
