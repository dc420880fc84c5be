#include "curation/share_progress.h"

#include "base/activity.h"
#include "base/errors.h"

namespace quasar::curation {
namespace {

constexpr std::uint64_t kWorthReporting = 100'000;
constexpr std::uint64_t kRowsPerLook = 4096;

}  // namespace

ShareProgress::ShareProgress(const char* what, std::uint64_t rows,
                             const std::function<bool()>& stop_requested, const comm::Communicator& comm)
    : stop_requested_(stop_requested) {
  look_out();
  if (!comm.is_root() || rows < kWorthReporting) return;
  progress_.emplace(what, "rows", rows);
  progress_->update(0);
}

ShareProgress::~ShareProgress() {
  if (progress_) progress_->update(done_);
}

void ShareProgress::count() {
  if (++done_ % kRowsPerLook != 0) return;
  base::note_activity();
  look_out();
  if (progress_) progress_->update(done_);
}

void ShareProgress::look_out() const {
  if (stop_requested_ && stop_requested_()) {
    base::fail(base::ExitCode::kInterrupted,
               "stopped by a signal while ranking; the same command continues from the stored scores");
  }
}

}  // namespace quasar::curation
