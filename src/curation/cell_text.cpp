#include "curation/cell_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <variant>

#include "base/csv_cell.h"

namespace quasar::curation {
namespace {

template <typename T>
void append_number(T value, std::string& text) {
  std::array<char, 40> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  text.append(digits.data(), end.ptr);
}

void append_percentile(double value, std::string& text) {
  std::array<char, 40> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, 6).ptr;
  std::string_view number(digits.data(), static_cast<std::size_t>(end - digits.data()));
  number = number.substr(0, number.find_last_not_of('0') + 1);
  if (number.back() == '.') number.remove_suffix(1);
  text += number;
}

/// Never trusts the text: one row's fields can neither break the line nor the file.
void append_json_object(std::string_view fields, std::string& text) {
  if (fields.starts_with('{') && fields.find('\n') == std::string_view::npos &&
      fields.find('\r') == std::string_view::npos && nlohmann::json::accept(fields)) {
    text += fields;
    return;
  }
  const auto value = nlohmann::json::parse(fields, nullptr, false);
  text +=
      value.is_discarded() ? "null" : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Appends what reads the same in CSV and JSON: numbers and flags.
template <typename T>
void append_plain(CellType type, T value, std::string& text) {
  if constexpr (std::is_same_v<T, bool>) {
    text += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, double>) {
    if (type == CellType::kPercentile) {
      append_percentile(value, text);
    } else {
      append_number(value, text);
    }
  } else {
    append_number(value, text);
  }
}

}  // namespace

std::string shortest(float value) {
  std::string text;
  append_number(value, text);
  return text;
}

std::string shortest(double value) {
  std::string text;
  append_number(value, text);
  return text;
}

void append_json_string(std::string_view value, std::string& text) {
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; };
  for (const char c : value) {
    if (is_plain(c)) continue;
    text += nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return;
  }
  text += '"';
  text += value;
  text += '"';
}

std::string as_json_reads(std::string_view value) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::all_of(value.begin(), value.end(), is_ascii)) return std::string(value);
  std::string text;
  append_json_string(value, text);
  return nlohmann::json::parse(text).get<std::string>();
}

void append_csv(CellType type, const Cell& cell, std::string& text) {
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          base::append_csv_text(value, text);
        } else if constexpr (!std::is_same_v<T, std::monostate>) {
          append_plain(type, value, text);
        }
      },
      cell);
}

void append_json(CellType type, const Cell& cell, std::string& text) {
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          text += "null";
        } else if constexpr (std::is_same_v<T, std::string_view>) {
          if (type == CellType::kObject) {
            append_json_object(value, text);
          } else {
            append_json_string(value, text);
          }
        } else {
          if constexpr (std::is_floating_point_v<T>) {
            if (!std::isfinite(value)) {
              text += "null";
              return;
            }
          }
          append_plain(type, value, text);
        }
      },
      cell);
}

}  // namespace quasar::curation
