#include "corpus/sources/csv_reader.h"

#include <algorithm>
#include <utility>

#include "base/config_node.h"
#include "base/errors.h"
#include "base/nearest_word.h"

namespace quasar::corpus {

char recognised_separator(std::string_view text, char usual, std::string_view column) {
  for (const char separator : {usual, ',', '\t', ';', '|'}) {
    try {
      const CsvReader reader(text, "", separator);
      const auto& columns = reader.columns();
      if (std::find(columns.begin(), columns.end(), column) != columns.end()) return separator;
    } catch (const base::Error&) {  // NOLINT(bugprone-empty-catch): no header by this separator.
    }
  }
  return usual;
}

CsvReader::CsvReader(std::string_view text, std::string name, char separator)
    : text_(text), name_(std::move(name)), separator_(separator) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark) position_ = kByteOrderMark.size();
  auto header = read_record();
  if (!header) fail(1, "the table is empty; its first line must name the columns");
  columns_ = std::move(header->fields);
}

std::size_t CsvReader::column(std::string_view name) const {
  if (name.empty()) fail(1, "the name of a column is empty");
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  if (found != columns_.end()) {
    if (std::find(found + 1, columns_.end(), name) != columns_.end())
      fail(1, "the column \"" + std::string(name) + "\" stands twice");
    return static_cast<std::size_t>(found - columns_.begin());
  }
  std::string list;
  for (const auto& column : columns_)
    if (!column.empty()) list += (list.empty() ? "" : ", ") + column;
  fail(1, "there is no column \"" + std::string(name) + "\"; there are: " + list +
              base::did_you_mean(name, columns_));
}

std::optional<CsvRecord> CsvReader::next() {
  auto record = read_record();
  const auto is_blank = [](const std::string& text) {
    return text.find_first_not_of(" \t") == std::string::npos;
  };
  while (record && columns_.size() > 1 && record->fields.size() == 1 && is_blank(record->fields.front()))
    record = read_record();
  if (record && record->fields.size() != columns_.size()) {
    fail(record->line, std::to_string(record->fields.size()) + " fields, and the header has " +
                           std::to_string(columns_.size()) + " columns");
  }
  return record;
}

std::optional<CsvRecord> CsvReader::read_record() {
  // LF, CR LF, or the lone CR of old spreadsheets: each ends one line.
  const auto skip_line_end = [this] {
    if (position_ >= text_.size() || (text_[position_] != '\r' && text_[position_] != '\n')) return;
    const bool carriage_return = text_[position_++] == '\r';
    if (carriage_return && position_ < text_.size() && text_[position_] == '\n') ++position_;
    ++line_;
  };
  while (position_ < text_.size() && (text_[position_] == '\n' || text_[position_] == '\r')) skip_line_end();
  if (position_ >= text_.size()) return std::nullopt;
  CsvRecord record;
  record.line = line_;
  while (true) {
    if (position_ < text_.size() && text_[position_] == '"' && (separator_ != '\t' || is_quoted_whole())) {
      record.fields.push_back(read_quoted());
    } else {
      const std::size_t begin = position_;
      for (; position_ < text_.size(); ++position_) {
        const char c = text_[position_];
        if (c == separator_ || c == '\n' || c == '\r') break;
        if (c == '\0') fail(line_, "a NUL byte; this is no text table");
        // Tab-separated files are written without quoting, so that a quote in a text is an inch sign or
        // begins what somebody says; in a CSV it is a field that was not quoted as it should be.
        if (c == '"' && separator_ != '\t')
          fail(line_, "a quote inside a field that does not begin with one; double it and quote the field");
      }
      record.fields.emplace_back(text_.substr(begin, position_ - begin));
    }
    if (position_ < text_.size() && text_[position_] == separator_) {
      ++position_;
      continue;
    }
    skip_line_end();
    return record;
  }
}

bool CsvReader::is_quoted_whole() const {
  bool tab = false;
  bool line_end = false;
  for (std::size_t at = position_ + 1; at < text_.size(); ++at) {
    const char c = text_[at];
    tab = tab || c == separator_;
    line_end = line_end || c == '\n' || c == '\r';
    // Rows that follow, not a text of several lines.
    if (tab && line_end) return false;
    if (c != '"') continue;
    if (at + 1 < text_.size() && text_[at + 1] == '"') {
      ++at;
      continue;
    }
    return at + 1 == text_.size() || text_[at + 1] == separator_ || text_[at + 1] == '\n' ||
           text_[at + 1] == '\r';
  }
  return false;
}

std::string CsvReader::read_quoted() {
  const std::size_t first_line = line_;
  std::string field;
  for (++position_; position_ < text_.size(); ++position_) {
    const char c = text_[position_];
    if (c == '\0') fail(line_, "a NUL byte; this is no text table");
    if (c == '\n') ++line_;
    if (c != '"') {
      field.push_back(c);
      continue;
    }
    if (position_ + 1 < text_.size() && text_[position_ + 1] == '"') {
      field.push_back('"');
      ++position_;
      continue;
    }
    ++position_;
    if (position_ < text_.size() && text_[position_] != separator_ && text_[position_] != '\n' &&
        text_[position_] != '\r') {
      fail(line_, "text after a closing quote");
    }
    return field;
  }
  fail(first_line, "a quoted field that is never closed");
}

void CsvReader::fail(std::size_t line, const std::string& message) const {
  base::fail(base::ExitCode::kInput, name_ + ":" + std::to_string(line) + ": " + message);
}

}  // namespace quasar::corpus
