// Owns reading of spreadsheets as Excel and its like save them (.xlsx, ECMA-376): the cells of the first
// sheet as text. libarchive opens the archive, expat reads the XML.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace quasar::corpus {

/// A sheet's rows, with no more cells than are filled, and each one's number in the sheet.
struct SheetRow {
  std::size_t number = 0;
  std::vector<std::string> cells;
};

/// The first sheet of a workbook in memory; of each row, the first 64 cells. `name` stands for the file in
/// messages. Throws Error(kInput) for what is no such workbook, is damaged, or unpacks to more than any list
/// of labels.
std::vector<SheetRow> parse_first_sheet(std::span<const std::byte> workbook, const std::string& name);
/// The same of a file, which is tried in a process that may be lost first.
std::vector<SheetRow> read_first_sheet(const std::filesystem::path& file);

}  // namespace quasar::corpus
