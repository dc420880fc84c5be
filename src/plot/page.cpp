#include "plot/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/errors.h"
#include "base/progress.h"
#include "plot/figure.h"
#include "plot/markup.h"

namespace quasar::plot {
namespace {

constexpr std::string_view kPageStyle =
    "body { font: 15px/1.45 sans-serif; max-width: 80em; margin: 0 auto; padding: 1em; color: var(--ink); "
    "background: var(--paper); overflow-wrap: break-word }\n"
    ".scroll { overflow-x: auto; margin: 0.5em 0 }\n"
    "table { border-collapse: collapse }\n"
    "td, th { border-bottom: 1px solid var(--grid); padding: 0.2em 0.7em; text-align: left; white-space: "
    "nowrap; "
    "vertical-align: top }\n"
    ".n { text-align: right; font-variant-numeric: tabular-nums }\n"
    ".long { white-space: normal; overflow-wrap: anywhere; min-width: 8em }\n"
    ".side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24em), 1fr)); gap: 1em "
    "}\n"
    ".pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(9em, 1fr)); gap: 1em; "
    "padding: 0; "
    "list-style: none }\n"
    ".pictures li { overflow-wrap: anywhere; font-size: 13px }\n"
    ".pictures img, .none { display: block; max-width: 100%; border: 1px solid var(--grid) }\n"
    ".none { padding: 1.5em 0.5em; color: var(--soft) }\n"
    ".bars { width: 100% } .bars th[scope=row] { font-weight: normal; min-width: 8em } .bars .bar { width: "
    "50%; "
    "min-width: 6em; vertical-align: middle }\n"
    ".bar i { display: inline-block; height: 0.9em; background: var(--s0); vertical-align: middle } .bar "
    ".pale { "
    "opacity: 0.35 }\n";

std::string_view class_of(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kNumber:
      return " class=\"n\"";
    case ColumnKind::kLong:
      return " class=\"long\"";
    case ColumnKind::kText:
      break;
  }
  return "";
}

}  // namespace

Page::Page(std::string_view title, std::string_view heading) {
  text_ = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "img-src data:\">\n<title>{}</title>\n<style>\n{}{}</style>\n</head>\n<body>\n<h1>{}</h1>\n",
      escaped(title), figure_style(), kPageStyle, escaped(heading));
}

void Page::heading(int level, std::string_view text) {
  QUASAR_CHECK(level >= 2 && level <= 6);
  text_ += fmt::format("<h{0}>{1}</h{0}>\n", level, escaped(text));
}

void Page::paragraph(std::string_view text) {
  text_ += fmt::format("<p>{}</p>\n", escaped(text));
}

void Page::table(const Table& table) {
  text_ += "<div class=\"scroll\" tabindex=\"0\"><table>\n";
  if (std::any_of(table.columns.begin(), table.columns.end(),
                  [](const auto& c) { return !c.heading.empty(); })) {
    text_ += "<tr>";
    for (const auto& column : table.columns)
      text_ += fmt::format("<th scope=\"col\"{}>{}</th>", class_of(column.kind), escaped(column.heading));
    text_ += "</tr>\n";
  }
  for (const auto& row : table.rows) {
    QUASAR_CHECK(row.size() == table.columns.size());
    text_ += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      text_ += fmt::format("<td{}>{}</td>", class_of(table.columns[i].kind), escaped(row[i]));
    text_ += "</tr>\n";
  }
  text_ += "</table></div>\n";
}

void Page::counts(const std::vector<std::pair<std::string, std::uint64_t>>& counts) {
  Table both{{{"", ColumnKind::kLong}, {"", ColumnKind::kNumber}}, {}};
  for (const auto& [name, count] : counts) both.rows.push_back({name, base::with_thousands(count)});
  table(both);
}

void Page::bars(const BarTable& table) {
  QUASAR_CHECK(table.columns.size() == 3);
  const auto percent = [&](std::uint64_t count) {
    return table.whole == 0 ? 0.0 : 100.0 * static_cast<double>(count) / static_cast<double>(table.whole);
  };
  text_ += fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table class=\"bars\" "
      "aria-label=\"{0}\">\n<tr><th scope=\"col\">{1}</th><th scope=\"col\" class=\"n\">{2}</th><th "
      "scope=\"col\" class=\"n\">{3}</th><td></td></tr>\n",
      escaped(table.name), escaped(table.columns[0]), escaped(table.columns[1]), escaped(table.columns[2]));
  for (const auto& row : table.rows) {
    text_ += fmt::format(
        "<tr><th scope=\"row\" class=\"long\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
        "class=\"bar\" aria-hidden=\"true\"><i style=\"width:{:.2f}%\"></i><i class=\"pale\" "
        "style=\"width:{:.2f}%\"></i></td></tr>\n",
        escaped(row.name), escaped(row.first), escaped(row.second), percent(row.full), percent(row.pale));
  }
  text_ += "</table></div>\n";
}

void Page::figure(std::string_view svg) {
  text_ += fmt::format("<figure style=\"margin: 1em 0\">{}</figure>\n", svg);
}

void Page::figures(const std::vector<std::string>& svgs) {
  text_ += "<div class=\"side\">\n";
  for (const auto& svg : svgs) figure(svg);
  text_ += "</div>\n";
}

void Page::thumbnails(const std::vector<Thumbnail>& pictures) {
  text_ += "<ul class=\"pictures\">\n";
  for (const auto& picture : pictures) {
    text_ += "<li>";
    if (picture.bytes.empty()) {
      text_ += fmt::format("<span class=\"none\">{}</span>", escaped(picture.missing));
    } else {
      text_ += fmt::format("<img alt=\"{}\" src=\"data:{};base64,{}\">", escaped(picture.name),
                           escaped(picture.media_type), base64(picture.bytes));
    }
    text_ += escaped(picture.name);
    for (const auto& remark : picture.remarks) text_ += "<br>" + escaped(remark);
    text_ += "</li>\n";
  }
  text_ += "</ul>\n";
}

std::string Page::finish() && {
  return std::move(text_) + "</body>\n</html>\n";
}

}  // namespace quasar::plot
