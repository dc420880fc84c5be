#include "corpus/sources/rows.h"

#include <algorithm>
#include <span>
#include <stdexcept>

#include "base/errors.h"
#include "base/logging.h"
#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"
#include "corpus/sources/tar_reader.h"

namespace quasar::corpus {
namespace {

/// Written for one table; the rest is only counted.
constexpr int kMostRowWarnings = 5;

/// A scheme and "://" (RFC 3986), as in columns of URLs that are taken for paths.
bool is_address(std::string_view path) {
  const auto end = path.find("://");
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return end != std::string_view::npos && end > 1 && is_letter(path.front()) &&
         std::ranges::all_of(path.substr(0, end), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
         });
}

}  // namespace

std::string_view text_of(const base::MappedFile& file) {
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void refuse_no_text(const std::filesystem::path& path, std::string_view content, MayBe expected) {
  const auto input = tar_in_memory(std::as_bytes(std::span(content)));
  const auto refuse = [&](std::string_view what) {
    base::fail(base::ExitCode::kInput, path.string() + " is no table or list: " + std::string(what));
  };
  switch (const auto what = no_tar(*input)) {
    case NoTar::kGitLfs:
    case NoTar::kHtml:
    case NoTar::kOtherFormat:
      refuse(describe(what).advice);
      break;
    case NoTar::kParquet:
      if (expected != MayBe::kParquet) refuse("it is a Parquet file, whose name must end in .parquet");
      break;
    default:
      break;
  }
  if (expected == MayBe::kParquet) return;
  if (const auto compression = compression_of(*input); !compression.empty())
    refuse("it is compressed (" + compression + "): unpack it once");
  if (content.starts_with("\xFF\xFE") || content.starts_with("\xFE\xFF"))
    refuse("it is a text in UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)");
}

Lines::Lines(std::string_view text) : text_(text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark) text_.remove_prefix(kByteOrderMark.size());
}

std::optional<std::string_view> Lines::next() {
  while (!text_.empty()) {
    ++number_;
    const std::size_t end = std::min(text_.find('\n'), text_.size());
    std::string_view content = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    if (!content.empty() && content.back() == '\r') content.remove_suffix(1);
    if (!content.empty()) return content;
  }
  return std::nullopt;
}

RowReader::RowReader(const SourceConfig& source, SourceCounts& counts)
    : source_(source),
      counts_(counts),
      root_(source.root.empty() ? source.path.parent_path() : source.root) {}

void RowReader::fail(std::size_t line, const std::string& message) const {
  base::fail(base::ExitCode::kInput, source_.path.string() + ":" + std::to_string(line) + ": " + message);
}

Item RowReader::item(std::string_view path, std::size_t line) const {
  if (path.empty()) fail(line, "the path is empty");
  if (path.find('\0') != std::string_view::npos) fail(line, "a NUL byte in the path; this is no text");
  if (is_address(path))
    ++counts_.noted["paths that are addresses of the web, whose pictures are not fetched"];
  Item item;
  item.id = escaped_text(path);
  // operator/ keeps an absolute path as it is.
  item.source = path_to_text((root_ / std::string(path)).lexically_normal());
  return item;
}

void RowReader::set_id(std::string_view id, std::size_t line, Item& item) const {
  if (id.empty()) fail(line, "the id (column \"" + source_.id_column + "\") is empty");
  item.id = escaped_text(id);
}

std::optional<double> RowReader::number(std::string_view text, const char* what, std::size_t line) {
  try {
    return parse_number(text, what);
  } catch (const std::invalid_argument& error) {
    ++counts_.left_out[no_number(what)];
    if (++warnings_ <= kMostRowWarnings)
      base::log_warning("{}:{}: {}; the row goes without one", path_to_text(source_.path), line,
                        error.what());
    return std::nullopt;
  }
}

void RowReader::set_columns(const std::function<std::string(const std::string& column)>& cell,
                            std::size_t line, Item& item) {
  if (!source_.id_column.empty()) set_id(cell(source_.id_column), line, item);
  if (!source_.label_column.empty()) item.label = number(cell(source_.label_column), "label", line);
  if (!source_.deviation_column.empty())
    item.deviation = number(cell(source_.deviation_column), "deviation", line);
  if (!source_.group_column.empty()) item.reference = escaped_text(cell(source_.group_column));
  if (!source_.split_column.empty()) item.split = escaped_text(cell(source_.split_column));
  for (const auto& field : source_.fields) item.fields.emplace_back(field, escaped_text(cell(field)));
}

}  // namespace quasar::corpus
