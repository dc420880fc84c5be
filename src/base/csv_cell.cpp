#include "base/csv_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace quasar::base {

void append_csv_text(std::string_view value, std::string& text) {
  const auto is_special = [](char c) { return c == ',' || c == '"' || c == '\r' || c == '\n'; };
  const bool edges = !value.empty() && (value.front() == ' ' || value.back() == ' ');
  if (!edges && std::none_of(value.begin(), value.end(), is_special)) {
    text += value;
    return;
  }
  text += '"';
  for (std::size_t quote = value.find('"'); quote != std::string_view::npos; quote = value.find('"')) {
    text += value.substr(0, quote + 1);
    text += '"';
    value.remove_prefix(quote + 1);
  }
  text += value;
  text += '"';
}

std::string csv_text(std::string_view value) {
  std::string text;
  append_csv_text(value, text);
  return text;
}

std::string csv_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "";
}

}  // namespace quasar::base
