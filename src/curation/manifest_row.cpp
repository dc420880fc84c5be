#include "curation/manifest_row.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/unpacker.h"

namespace quasar::curation {
namespace {

template <typename T>
void append_bytes(const T& value, std::string& text) {
  text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

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

void append_name(std::string_view name, std::string& text) {
  text += ',';
  append_json_string(name, text);
  text += ':';
}

/// Never trusts the text: one row's fields can neither break the line nor the file.
void append_json_fields(std::string_view fields, std::string& text) {
  if (fields.front() == '{' && fields.find('\n') == std::string_view::npos &&
      fields.find('\r') == std::string_view::npos && nlohmann::json::accept(fields)) {
    text += fields;
    return;
  }
  const auto value = nlohmann::json::parse(fields, nullptr, false);
  text +=
      value.is_discarded() ? "null" : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
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

void pack_row(const ManifestRow& row, std::string& packed) {
  packed.clear();
  append_bytes(row.offset, packed);
  append_bytes(row.bytes, packed);
  append_bytes(row.width, packed);
  append_bytes(row.height, packed);
  append_bytes(row.status, packed);
  append_bytes(row.label, packed);
  append_bytes(static_cast<std::uint32_t>(row.scores.size()), packed);
  packed.append(reinterpret_cast<const char*>(row.scores.data()), row.scores.size() * sizeof(float));
  for (const auto text : {row.source, row.member, row.hash, row.fields}) {
    append_bytes(static_cast<std::uint32_t>(text.size()), packed);
    packed += text;
  }
}

void unpack_row(std::string_view id, std::string_view packed, ManifestRow& row) {
  base::Unpacker unpacker(packed, "a packed row");
  row.id = id;
  row.offset = unpacker.take<std::uint64_t>();
  row.bytes = unpacker.take<std::uint64_t>();
  row.width = unpacker.take<std::uint32_t>();
  row.height = unpacker.take<std::uint32_t>();
  row.status = unpacker.take<base::RowStatus>();
  row.label = unpacker.take<double>();
  row.scores.resize(unpacker.take<std::uint32_t>());
  for (auto& score : row.scores) score = unpacker.take<float>();
  row.source = unpacker.take_text();
  row.member = unpacker.take_text();
  row.hash = unpacker.take_text();
  row.fields = unpacker.take_text();
}

std::string csv_header(const ManifestShape& shape) {
  std::string text = "rank,id,source,member,offset,bytes,hash";
  for (const auto& name : shape.score_columns) {
    text += ',';
    append_csv_text(name, text);
  }
  text += ",percentile,width,height,status,keep,reason";
  if (shape.label) text += ",label";
  if (shape.fields) text += ",fields";
  return text + "\n";
}

void append_csv(const ManifestShape& shape, const ManifestRow& row, const RankedFacts& facts,
                std::string& text) {
  if (facts.rank != 0) append_number(facts.rank, text);
  for (const auto value : {row.id, row.source, row.member}) {
    text += ',';
    append_csv_text(value, text);
  }
  text += ',';
  append_number(row.offset, text);
  text += ',';
  append_number(row.bytes, text);
  text += ',';
  append_csv_text(row.hash, text);
  for (const float score : row.scores) {
    text += ',';
    if (facts.rank != 0) append_number(score, text);
  }
  text += ',';
  if (facts.rank != 0) append_percentile(facts.percentile, text);
  text += ',';
  append_number(row.width, text);
  text += ',';
  append_number(row.height, text);
  text += ',';
  text += base::status_name(row.status);
  text += facts.keep ? ",true," : ",false,";
  append_csv_text(facts.reason, text);
  if (shape.label) {
    text += ',';
    if (!std::isnan(row.label)) append_number(row.label, text);
  }
  if (shape.fields) {
    text += ',';
    append_csv_text(row.fields, text);
  }
  text += '\n';
}

void append_json(const ManifestShape& shape, const ManifestRow& row, const RankedFacts& facts,
                 std::string& text) {
  text += "{\"rank\":";
  if (facts.rank != 0) {
    append_number(facts.rank, text);
  } else {
    text += "null";
  }
  append_name("id", text);
  append_json_string(row.id, text);
  append_name("source", text);
  append_json_string(row.source, text);
  append_name("member", text);
  append_json_string(row.member, text);
  append_name("offset", text);
  append_number(row.offset, text);
  append_name("bytes", text);
  append_number(row.bytes, text);
  append_name("hash", text);
  append_json_string(row.hash, text);
  for (std::size_t c = 0; c < row.scores.size(); ++c) {
    append_name(shape.score_columns[c], text);
    if (facts.rank != 0) {
      append_number(row.scores[c], text);
    } else {
      text += "null";
    }
  }
  append_name("percentile", text);
  if (facts.rank != 0) {
    append_percentile(facts.percentile, text);
  } else {
    text += "null";
  }
  append_name("width", text);
  append_number(row.width, text);
  append_name("height", text);
  append_number(row.height, text);
  append_name("status", text);
  append_json_string(base::status_name(row.status), text);
  append_name("keep", text);
  text += facts.keep ? "true" : "false";
  append_name("reason", text);
  append_json_string(facts.reason, text);
  if (shape.label) {
    append_name("label", text);
    if (std::isfinite(row.label)) {
      append_number(row.label, text);
    } else {
      text += "null";
    }
  }
  if (shape.fields) {
    append_name("fields", text);
    if (row.fields.empty()) {
      text += "null";
    } else {
      append_json_fields(row.fields, text);
    }
  }
  text += "}\n";
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

}  // namespace quasar::curation
