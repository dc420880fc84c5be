#include "base/status.h"

#include <array>

namespace quasar::base {
namespace {

constexpr std::array<RowStatus, 17> kStatuses = {
    RowStatus::kOk,
    RowStatus::kMissing,
    RowStatus::kUnreadable,
    RowStatus::kEmpty,
    RowStatus::kTooManyBytes,
    RowStatus::kUnknownFormat,
    RowStatus::kBlockedFormat,
    RowStatus::kBadHeader,
    RowStatus::kTooManyPixels,
    RowStatus::kTooSmall,
    RowStatus::kDecodeFailed,
    RowStatus::kUnsupportedPixels,
    RowStatus::kArchiveCorrupt,
    RowStatus::kTimedOut,
    RowStatus::kCrashed,
    RowStatus::kEncodeFailed,
    RowStatus::kOutOfMemory,
};

constexpr std::array<std::string_view, kStatuses.size()> kNames = {
    "ok",
    "missing",
    "unreadable",
    "empty",
    "too_many_bytes",
    "unknown_format",
    "blocked_format",
    "bad_header",
    "too_many_pixels",
    "too_small",
    "decode_failed",
    "unsupported_pixels",
    "archive_corrupt",
    "timed_out",
    "crashed",
    "encode_failed",
    "out_of_memory",
};

}  // namespace

std::span<const RowStatus> all_statuses() {
  return kStatuses;
}

std::string_view status_name(RowStatus status) {
  const auto index = static_cast<std::size_t>(status);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::optional<RowStatus> status_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return kStatuses[i];
  }
  return std::nullopt;
}

}  // namespace quasar::base
