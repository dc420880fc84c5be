// Owns the test for well-formed UTF-8.
#pragma once

#include <cstddef>
#include <string_view>

namespace quasar::base {

/// Bytes of the well-formed UTF-8 sequence (RFC 3629) that `text`, which is not empty, begins with; 0 when it
/// begins with none.
std::size_t utf8_sequence_length(std::string_view text);

/// Whether all of `text` is well-formed UTF-8.
bool is_utf8(std::string_view text);

}  // namespace quasar::base
