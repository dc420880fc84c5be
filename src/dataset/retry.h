// Owns the choice of failed rows to try again.
#pragma once

#include <optional>

#include "base/status.h"

namespace quasar::dataset {

/// Rows to redo in shards that are finished otherwise: all that failed, or those of one status.
struct RetryFailed {
  std::optional<base::RowStatus> only;

  bool covers(base::RowStatus status) const {
    return status != base::RowStatus::kOk && (!only || *only == status);
  }
};

}  // namespace quasar::dataset
