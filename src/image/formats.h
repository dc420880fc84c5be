// Internal to the module: owns which formats are known by their first bytes, and the words for those that are
// not opened.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/status.h"
#include "image/reader.h"

namespace quasar::image {

/// HEIF or AVIF, one picture or a sequence, by the brands that the file says it is compatible with (ISO
/// 14496-12, 4.3).
bool is_heif(std::span<const std::byte> bytes);

/// Why bytes that no loader takes are not opened.
Opened refuse_format(std::span<const std::byte> bytes);

}  // namespace quasar::image
