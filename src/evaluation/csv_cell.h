// Owns how evaluations and studies print the cells of a CSV.
#pragma once

#include <string>

namespace quasar::evaluation {

/// A text, quoted where RFC 4180 asks for it.
std::string csv_text(const std::string& text);
/// The shortest text that gives the number back; empty for one that is not finite.
std::string csv_number(double value);

}  // namespace quasar::evaluation
