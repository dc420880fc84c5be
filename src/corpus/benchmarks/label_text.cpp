#include "corpus/benchmarks/label_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/errors.h"
#include "base/mapped_file.h"
#include "base/nearest_word.h"
#include "corpus/path_text.h"
#include "corpus/sources/csv_reader.h"
#include "corpus/sources/rows.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {
namespace {

/// More than any data set has of kinds and levels.
constexpr std::size_t kMostDigits = 3;

std::optional<int> small_number(std::string_view text) {
  if (text.empty() || text.size() > kMostDigits) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

/// The records of a CSV with the columns at `places`.
void pick_cells(CsvReader& reader, const std::filesystem::path& file, const std::vector<std::size_t>& places,
                const std::function<void(const LabelRecord& record)>& take) {
  while (const auto record = reader.next()) {
    LabelRecord picked;
    picked.place = place_of(file, record->line);
    for (const auto place : places) picked.cells.emplace_back(trimmed(record->fields[place]));
    take(picked);
  }
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto begin = text.find_first_not_of(kBlanks);
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> result;
  for (std::size_t begin = 0; (begin = line.find_first_not_of(" \t", begin)) != std::string_view::npos;) {
    const auto end = std::min(line.find_first_of(" \t", begin), line.size());
    result.push_back(line.substr(begin, end - begin));
    begin = end;
  }
  return result;
}

std::optional<double> number_of(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
  return good ? value : std::numeric_limits<double>::quiet_NaN();
}

std::string place_of(const std::filesystem::path& file, std::size_t line) {
  return path_to_text(file) + ":" + std::to_string(line);
}

void fail_at(const std::string& place, const std::string& message) {
  base::fail(base::ExitCode::kInput, place + ": " + message);
}

void for_each_line(const std::filesystem::path& file,
                   const std::function<void(std::string_view line, std::size_t number)>& take) {
  const base::MappedFile mapped(file);
  Lines lines(text_of(mapped));
  while (const auto line = lines.next()) {
    if (line->find('\0') != std::string_view::npos)
      fail_at(place_of(file, lines.number()), "a NUL byte; this is no text");
    if (const auto text = trimmed(*line); !text.empty()) take(text, lines.number());
  }
}

std::vector<std::size_t> places_of(const std::vector<std::string>& header,
                                   const std::vector<std::string>& columns, const std::string& place) {
  std::vector<std::string> names;
  std::string list;
  for (const auto& name : header) {
    names.push_back(lower_case(std::string(trimmed(name))));
    list += (list.empty() ? "" : ", ") + escaped_text(trimmed(name));
  }
  std::vector<std::size_t> places;
  for (const auto& column : columns) {
    const auto found = std::find(names.begin(), names.end(), lower_case(column));
    if (found == names.end()) {
      const auto near = base::nearest_word(lower_case(column), names);
      fail_at(place, "there is no column \"" + column + "\"; there are: " + list +
                         (near ? "; did somebody rename it to \"" + escaped_text(*near) + "\"?" : ""));
    }
    places.push_back(static_cast<std::size_t>(found - names.begin()));
  }
  return places;
}

void for_each_record(const std::filesystem::path& file, const std::vector<std::string>& columns,
                     const std::function<void(const LabelRecord& record)>& take) {
  const base::MappedFile mapped(file);
  // Spreadsheets of some countries save semicolons.
  const char separator = recognised_separator(text_of(mapped), ',', columns.front());
  CsvReader reader(text_of(mapped), path_to_text(file), separator);
  pick_cells(reader, file, places_of(reader.columns(), columns, place_of(file, 1)), take);
}

void for_each_record(const std::filesystem::path& file, std::size_t count,
                     const std::function<void(const LabelRecord& record)>& take) {
  const base::MappedFile mapped(file);
  CsvReader reader(text_of(mapped), path_to_text(file));
  if (reader.columns().size() < count) {
    fail_at(place_of(file, 1), std::to_string(reader.columns().size()) + " columns, and " +
                                   std::to_string(count) + " are needed");
  }
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < count; ++i) places.push_back(i);
  pick_cells(reader, file, places, take);
}

std::string stem_of(const std::string& name) {
  return name.substr(0, name.rfind('.'));
}

DistortedName distorted_name(const std::string& name, const std::string& place) {
  const std::string stem = stem_of(name);
  const auto level_at = stem.rfind('_');
  const auto kind_at =
      level_at == std::string::npos || level_at == 0 ? level_at : stem.rfind('_', level_at - 1);
  if (kind_at != std::string::npos && kind_at > 0) {
    const auto kind = small_number(std::string_view(stem).substr(kind_at + 1, level_at - kind_at - 1));
    const auto level = small_number(std::string_view(stem).substr(level_at + 1));
    if (kind && level) return {stem.substr(0, kind_at), *kind, *level};
  }
  fail_at(place, "\"" + escaped_text(name.substr(0, 80)) +
                     "\" is no name of a distorted picture, which ends in its kind and level: I01_11_2.bmp");
}

std::vector<std::pair<std::string, std::string>> fields_of(const DistortedName& name) {
  return {{"kind", std::to_string(name.kind)}, {"level", std::to_string(name.level)}};
}

}  // namespace quasar::corpus
