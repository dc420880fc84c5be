#include "corpus/benchmarks/spreadsheet.h"

#include <archive.h>
#include <archive_entry.h>
#include <expat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/errors.h"
#include "base/mapped_file.h"
#include "base/trial.h"
#include "corpus/path_text.h"

namespace quasar::corpus {
namespace {

/// What all parts of a workbook may unpack to together; SPAQ's labels are some 5 MB.
constexpr std::size_t kMostSheetBytes = std::size_t{256} << 20U;
constexpr std::size_t kMostCells = 64;
constexpr std::size_t kMostRows = 2'000'000;
constexpr unsigned kSheetTrialSeconds = 120;

[[noreturn]] void fail(const std::string& name, const std::string& message) {
  base::fail(base::ExitCode::kInput, name + ": " + message);
}

/// The parts of a workbook that are XML and may matter, by name.
std::map<std::string, std::string> unpacked(std::span<const std::byte> workbook, const std::string& name) {
  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), &archive_read_free);
  archive_read_support_format_zip(reader.get());
  const auto check = [&](int result) {
    if (result == ARCHIVE_OK || result == ARCHIVE_WARN) return;
    const char* const words = archive_error_string(reader.get());
    fail(name,
         std::string("it is no workbook (.xlsx), or it is damaged: ") + (words == nullptr ? "" : words));
  };
  check(archive_read_open_memory(reader.get(), workbook.data(), workbook.size()));
  std::map<std::string, std::string> parts;
  std::size_t bytes = 0;
  while (true) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(reader.get(), &entry);
    if (result == ARCHIVE_EOF) return parts;
    check(result);
    const char* const path = archive_entry_pathname(entry);
    const std::string_view part = path == nullptr ? "" : path;
    const bool matters = part == "xl/workbook.xml" || part == "xl/_rels/workbook.xml.rels" ||
                         part == "xl/sharedStrings.xml" || part.substr(0, 14) == "xl/worksheets/";
    if (!matters) continue;
    std::string& text = parts[std::string(part)];
    std::array<char, 65536> buffer{};
    while (true) {
      const auto got = archive_read_data(reader.get(), buffer.data(), buffer.size());
      if (got < 0) check(static_cast<int>(got));
      if (got <= 0) break;
      bytes += static_cast<std::size_t>(got);
      if (bytes > kMostSheetBytes) fail(name, "it unpacks to more than a list of labels has");
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
}

using Attributes = std::map<std::string_view, std::string_view>;

/// Takes the elements of an XML text. Names come without their prefixes.
class ElementTaker {
 public:
  virtual ~ElementTaker() = default;
  virtual void begin(std::string_view element, const Attributes& attributes) = 0;
  virtual void end(std::string_view element) = 0;
  virtual void text(std::string_view text) { static_cast<void>(text); }
};

std::string_view local_name(const char* name) {
  const std::string_view whole = name;
  const auto colon = whole.find(':');
  return colon == std::string_view::npos ? whole : whole.substr(colon + 1);
}

/// What expat hands to its handlers.
struct Parse {
  ElementTaker& taker;
  XML_Parser parser;
};

void on_begin(void* parse, const XML_Char* element, const XML_Char** given) {
  Attributes attributes;
  for (; *given != nullptr; given += 2) attributes.emplace(local_name(given[0]), given[1]);
  static_cast<Parse*>(parse)->taker.begin(local_name(element), attributes);
}

void on_end(void* parse, const XML_Char* element) {
  static_cast<Parse*>(parse)->taker.end(local_name(element));
}

void on_text(void* parse, const XML_Char* text, int length) {
  static_cast<Parse*>(parse)->taker.text({text, static_cast<std::size_t>(length)});
}

/// No workbook declares a document type; entities, which could grow without bound, need one.
void on_document_type(void* parse, const XML_Char*, const XML_Char*, const XML_Char*, int) {
  XML_StopParser(static_cast<Parse*>(parse)->parser, XML_FALSE);
}

void parse_xml(const std::string& text, ElementTaker& taker, const std::string& name) {
  const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreate(nullptr),
                                                                       &XML_ParserFree);
  Parse parse{taker, parser.get()};
  XML_SetUserData(parser.get(), &parse);
  XML_SetElementHandler(parser.get(), on_begin, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  XML_SetStartDoctypeDeclHandler(parser.get(), on_document_type);
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), 1) != XML_STATUS_OK) {
    fail(name, std::string("its XML is not as a workbook's is: ") +
                   XML_ErrorString(XML_GetErrorCode(parser.get())));
  }
}

/// The relation of a workbook's first sheet.
class FirstSheet final : public ElementTaker {
 public:
  void begin(std::string_view element, const Attributes& attributes) override {
    if (element != "sheet" || !id.empty()) return;
    if (const auto found = attributes.find("id"); found != attributes.end()) id = found->second;
  }
  void end(std::string_view) override {}
  std::string id;
};

/// What a relation leads to.
class Relation final : public ElementTaker {
 public:
  explicit Relation(std::string id) : id_(std::move(id)) {}
  void begin(std::string_view, const Attributes& attributes) override {
    const auto id = attributes.find("Id");
    const auto leads_to = attributes.find("Target");
    if (id != attributes.end() && id->second == id_ && leads_to != attributes.end())
      target = leads_to->second;
  }
  void end(std::string_view) override {}
  std::string target;

 private:
  std::string id_;
};

class SharedStrings final : public ElementTaker {
 public:
  void begin(std::string_view element, const Attributes&) override {
    if (element == "si") strings.emplace_back();
    if (element == "rPh") ++phonetic_;
    in_text_ = element == "t" && phonetic_ == 0 && !strings.empty();
  }
  void end(std::string_view element) override {
    if (element == "rPh") --phonetic_;
    if (element == "t") in_text_ = false;
  }
  void text(std::string_view text) override {
    if (in_text_) strings.back().append(text);
  }
  std::vector<std::string> strings;

 private:
  int phonetic_ = 0;
  bool in_text_ = false;
};

class SheetCells final : public ElementTaker {
 public:
  explicit SheetCells(std::vector<std::string> shared) : shared_(std::move(shared)) {}

  void begin(std::string_view element, const Attributes& attributes) override {
    if (element == "row" && rows.size() < kMostRows) {
      rows.push_back({rows.empty() ? 1 : rows.back().number + 1, {}});
      if (const auto given = attributes.find("r"); given != attributes.end())
        if (const auto number = number_in(given->second)) rows.back().number = *number;
    } else if (element == "c" && !rows.empty()) {
      column_ = rows.back().cells.size();
      if (const auto given = attributes.find("r"); given != attributes.end())
        column_ = column_of(given->second);
      const auto type = attributes.find("t");
      is_shared_ = type != attributes.end() && type->second == "s";
      value_.clear();
      in_cell_ = true;
    } else if (element == "rPh") {
      ++phonetic_;
    }
    in_value_ = in_cell_ && phonetic_ == 0 && (element == "v" || element == "t");
  }

  void end(std::string_view element) override {
    if (element == "rPh") --phonetic_;
    if (element == "v" || element == "t") in_value_ = false;
    if (element != "c" || !in_cell_) return;
    in_cell_ = false;
    if (is_shared_) {
      const auto number = number_in(value_);
      value_ = number && *number < shared_.size() ? shared_[*number] : "";
    }
    auto& cells = rows.back().cells;
    if (value_.empty() || column_ >= kMostCells) return;
    if (cells.size() <= column_) cells.resize(column_ + 1);
    cells[column_] = std::move(value_);
  }

  void text(std::string_view text) override {
    if (in_value_) value_.append(text);
  }

  std::vector<SheetRow> rows;

 private:
  static std::optional<std::size_t> number_in(std::string_view text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  }
  /// Column of a reference such as "AB12", from 0.
  static std::size_t column_of(std::string_view reference) {
    std::size_t column = 0;
    for (const char c : reference) {
      if (c < 'A' || c > 'Z' || column > kMostCells) break;
      column = column * 26 + static_cast<std::size_t>(c - 'A' + 1);
    }
    return column == 0 ? kMostCells : column - 1;
  }

  std::vector<std::string> shared_;
  std::string value_;
  std::size_t column_ = 0;
  int phonetic_ = 0;
  bool is_shared_ = false;
  bool in_cell_ = false;
  bool in_value_ = false;
};

}  // namespace

std::vector<SheetRow> parse_first_sheet(std::span<const std::byte> workbook, const std::string& name) {
  const auto parts = unpacked(workbook, name);
  const auto part = [&](const std::string& path) -> const std::string& {
    const auto found = parts.find(path);
    if (found == parts.end()) fail(name, "it is no workbook (.xlsx): it has no part " + escaped_text(path));
    return found->second;
  };
  FirstSheet first;
  parse_xml(part("xl/workbook.xml"), first, name);
  Relation relation(first.id);
  parse_xml(part("xl/_rels/workbook.xml.rels"), relation, name);
  // "worksheets/sheet1.xml", or from the root on.
  const std::string target = !relation.target.empty() && relation.target.front() == '/'
                                 ? relation.target.substr(1)
                                 : "xl/" + relation.target;
  SharedStrings shared;
  if (const auto found = parts.find("xl/sharedStrings.xml"); found != parts.end())
    parse_xml(found->second, shared, name);
  SheetCells cells(std::move(shared.strings));
  parse_xml(part(target), cells, name);
  std::erase_if(cells.rows, [](const SheetRow& row) { return row.cells.empty(); });
  return std::move(cells.rows);
}

std::vector<SheetRow> read_first_sheet(const std::filesystem::path& file) {
  const base::MappedFile mapped(file);
  const std::string name = path_to_text(file);
  if (const auto lost = base::lost_in_trial([&] { parse_first_sheet(mapped.bytes(), name); },
                                            {.seconds = kSheetTrialSeconds}))
    fail(name, "the workbook is damaged: reading it " + *lost);
  return parse_first_sheet(mapped.bytes(), name);
}

}  // namespace quasar::corpus
