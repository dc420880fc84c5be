// Owns the vocabulary of what can become of one image. The numbers are written to disk and never change
// meaning.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace quasar::base {

/// What became of a row. 0 is success; every failure kind has its own value.
enum class RowStatus : std::uint8_t {
  kOk = 0,
  kMissing = 1,             ///< The file or archive member is not there.
  kUnreadable = 2,          ///< It is there but cannot be read: permission, I/O error.
  kEmpty = 3,               ///< Zero bytes.
  kTooManyBytes = 4,        ///< More bytes than decode.max_file_bytes.
  kUnknownFormat = 5,       ///< No loader recognises the content.
  kBlockedFormat = 6,       ///< A format that is known and not opened: untrusted, or not supported.
  kBadHeader = 7,           ///< The format is known, the header is broken.
  kTooManyPixels = 8,       ///< More pixels, or a longer side, than allowed.
  kTooSmall = 9,            ///< The shorter side is below decode.min_side.
  kDecodeFailed = 10,       ///< The header was sound, the pixels are not: truncated or corrupt data.
  kUnsupportedPixels = 11,  ///< Sound, but of a kind that is not decoded or has no conversion to 8-bit sRGB.
  kArchiveCorrupt = 12,     ///< The archive is damaged at this member.
  kTimedOut = 13,           ///< Decoding took longer than decode.timeout_s.
  kCrashed = 14,            ///< Decoding ended its worker by a signal.
  kEncodeFailed = 15,       ///< The encoder gave a non-finite embedding.
  kOutOfMemory = 16,        ///< Decoding asked for more memory than there is.
};

/// Every status, in order of its number.
std::span<const RowStatus> all_statuses();

/// Stable lower-case name, as written in manifests and summaries ("ok", "decode_failed", ...).
std::string_view status_name(RowStatus status);

/// Inverse of status_name; empty for an unknown name.
std::optional<RowStatus> status_from_name(std::string_view name);

}  // namespace quasar::base
