// Owns how cells of a CSV are printed.
#pragma once

#include <string>
#include <string_view>

namespace quasar::base {

/// Appends a text as a field of CSV, quoted where RFC 4180 asks for it or readers might strip its edges.
void append_csv_text(std::string_view value, std::string& text);
/// The same by itself.
std::string csv_text(std::string_view value);
/// The shortest text that gives the number back; empty for one that is not finite.
std::string csv_number(double value);

}  // namespace quasar::base
