#include "pipeline/rated_table.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "corpus/sources/csv_reader.h"
#include "corpus/sources/lenient_json.h"
#include "corpus/sources/source_text.h"

namespace quasar::pipeline {
namespace {

/// The cells of one row that are asked for, in the order of all_columns().
using Cells = std::vector<std::string>;

std::vector<std::string> all_columns(const RatedTableColumns& columns) {
  auto names = columns.scores;
  names.push_back(columns.label);
  for (const auto* name : {&columns.group, &columns.deviation, &columns.observers}) {
    if (!name->empty()) names.push_back(*name);
  }
  return names;
}

/// NaN for an empty text; nothing for one that is no number.
std::optional<double> number_of(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return std::numeric_limits<double>::quiet_NaN();
  const auto last = text.find_last_not_of(" \t");
  const std::string word = text.substr(begin, last + 1 - begin);
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  if (*end != '\0') return std::nullopt;
  return value;
}

class TableFiller {
 public:
  TableFiller(const RatedTableColumns& columns, evaluation::RatedPictures& pictures)
      : columns_(columns), pictures_(pictures) {
    pictures_.scorers = columns.scores;
    pictures_.scores.resize(columns.scores.size());
  }

  void add(const Cells& cells) {
    std::vector<double> numbers;
    std::size_t cell = 0;
    const auto take = [&](const std::string& what) {
      const auto value = number_of(cells[cell++]);
      if (!value) ++pictures_.left_out[what + " is no number"];
      numbers.push_back(value.value_or(0));
      return value.has_value();
    };
    for (const auto& name : columns_.scores) {
      if (!take("score " + name)) return;
    }
    if (!take("label")) return;
    std::string group;
    if (!columns_.group.empty()) group = cells[cell++];
    if (!columns_.deviation.empty() && !take("deviation")) return;
    if (!columns_.observers.empty() && !take("number of observers")) return;
    std::size_t next = 0;
    for (auto& scores : pictures_.scores) scores.push_back(numbers[next++]);
    pictures_.labels.push_back(numbers[next++]);
    if (!columns_.group.empty()) pictures_.groups.push_back(std::move(group));
    if (!columns_.deviation.empty()) pictures_.deviations.push_back(numbers[next++]);
    if (!columns_.observers.empty()) pictures_.observers.push_back(numbers[next++]);
  }

 private:
  const RatedTableColumns& columns_;
  evaluation::RatedPictures& pictures_;
};

void read_json_lines(const std::string& text, const std::filesystem::path& path,
                     const std::vector<std::string>& names, TableFiller& filler) {
  std::vector<bool> seen(names.size(), false);
  // What a value loses is counted by the row that lacks it.
  corpus::SourceCounts losses;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto refuse = [&](const std::string& why) {
      base::fail(base::ExitCode::kInput, path.string() + ":" + std::to_string(number) + ": " + why);
    };
    nlohmann::json row;
    try {
      row = corpus::parse_lenient_json(line, losses);
    } catch (const nlohmann::json::exception& error) {
      refuse(std::string("not well-formed JSON: ") + error.what());
    }
    if (!row.is_object()) refuse("every line must be a JSON object, such as {\"score\": 0.5, \"label\": 3}");
    Cells cells;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto found = row.find(names[i]);
      seen[i] = seen[i] || found != row.end();
      cells.push_back(found == row.end() ? "" : corpus::json_text(*found));
    }
    filler.add(cells);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!seen[i])
      base::fail(base::ExitCode::kInput, path.string() + ": no row has a value \"" + names[i] + "\"");
  }
}

}  // namespace

evaluation::RatedPictures read_rated_table(const std::filesystem::path& path,
                                           const RatedTableColumns& columns) {
  evaluation::RatedPictures pictures;
  TableFiller filler(columns, pictures);
  const auto names = all_columns(columns);
  const std::string text = base::read_file(path);
  if (corpus::has_suffix(path.native(), {".jsonl", ".ndjson"})) {
    read_json_lines(text, path, names, filler);
    return pictures;
  }
  const char usual = corpus::has_suffix(path.native(), {".tsv", ".tab"}) ? '\t' : ',';
  corpus::CsvReader reader(text, path.string(), corpus::recognised_separator(text, usual, columns.label));
  std::vector<std::size_t> places;
  for (const auto& name : names) places.push_back(reader.column(name));
  while (auto record = reader.next()) {
    Cells cells;
    for (const std::size_t place : places) cells.push_back(record->fields[place]);
    filler.add(cells);
  }
  return pictures;
}

}  // namespace quasar::pipeline
