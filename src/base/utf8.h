// Owns the test for well-formed UTF-8, and text from outside made fit for messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quasar::base {

/// Bytes of the well-formed UTF-8 sequence (RFC 3629) that `text`, which is not empty, begins with; 0 when it
/// begins with none.
std::size_t utf8_sequence_length(std::string_view text);

/// Whether all of `text` is well-formed UTF-8.
bool is_utf8(std::string_view text);

/// `text` fit for an error message: control characters and broken UTF-8 replaced, and cut after about `most`
/// bytes.
std::string printable(std::string_view text, std::size_t most = 120);

}  // namespace quasar::base
