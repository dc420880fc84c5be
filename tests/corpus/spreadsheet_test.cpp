#include "corpus/benchmarks/spreadsheet.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "base/errors.h"

namespace quasar::corpus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Parts = std::map<std::string, std::string>;

std::vector<std::byte> zipped(const Parts& parts) {
  std::vector<std::byte> bytes(std::size_t{1} << 22U);
  std::size_t used = 0;
  const std::unique_ptr<archive, int (*)(archive*)> writer(archive_write_new(), &archive_write_free);
  archive_write_set_format_zip(writer.get());
  archive_write_set_options(writer.get(), "zip:compression-level=1");
  archive_write_set_bytes_in_last_block(writer.get(), 1);
  archive_write_open_memory(writer.get(), bytes.data(), bytes.size(), &used);
  for (const auto& [name, text] : parts) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         &archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(text.size()));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_write_header(writer.get(), entry.get());
    archive_write_data(writer.get(), text.data(), text.size());
  }
  archive_write_close(writer.get());
  bytes.resize(used);
  return bytes;
}

/// A workbook whose first sheet is its second file, as after the sheets were reordered.
Parts workbook(const std::string& sheet) {
  return {
      {"xl/workbook.xml",
       "<workbook><sheets><sheet name=\"a\" sheetId=\"2\" r:id=\"rId9\" xmlns:r=\"r\"/>"
       "<sheet name=\"b\" sheetId=\"1\" r:id=\"rId1\" xmlns:r=\"r\"/></sheets></workbook>"},
      {"xl/_rels/workbook.xml.rels",
       "<Relationships><Relationship Id=\"rId1\" Target=\"worksheets/sheet1.xml\"/>"
       "<Relationship Id=\"rId9\" Target=\"worksheets/sheet2.xml\"/></Relationships>"},
      {"xl/sharedStrings.xml",
       "<sst><si><t>Image name</t></si><si><r><t>M</t></r><r><t>OS</t></r><rPh><t>x</t></rPh></si></sst>"},
      {"xl/worksheets/sheet1.xml", "<worksheet/>"},
      {"xl/worksheets/sheet2.xml", sheet}};
}

std::string error_of(const std::vector<std::byte>& bytes) {
  try {
    parse_first_sheet(bytes, "t.xlsx");
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "no error";
}

TEST(Spreadsheet, TakesTheFirstSheetsCellsOfEveryKind) {
  const auto rows = parse_first_sheet(
      zipped(workbook("<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" "
                      "t=\"s\"><v>1</v></c></row><row/><row r=\"4\"><c r=\"B4\"><f>1+1</f><v>2.5</v></c>"
                      "<c t=\"inlineStr\"><is><t>a&amp;b</t></is></c></row></sheetData></worksheet>")),
      "t.xlsx");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0].cells, ElementsAre("Image name", "MOS"));
  EXPECT_EQ(rows[1].number, 4U);
  EXPECT_THAT(rows[1].cells, ElementsAre("", "2.5", "a&b"));
}

TEST(Spreadsheet, HostileSheetsAreBoundedOrRefused) {
  // A cell far to the right, a text that is not there, a column that is none.
  const auto rows = parse_first_sheet(
      zipped(
          workbook("<worksheet><row r=\"99999999999999999999\"><c r=\"XFD1\"><v>1</v></c><c r=\"A1\" "
                   "t=\"s\"><v>77</v></c><c r=\"1\"><v>3</v></c><c r=\"B1\"><v>5</v></c></row></worksheet>")),
      "t.xlsx");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_THAT(rows[0].cells, ElementsAre("", "5"));
  EXPECT_THAT(error_of(zipped(workbook("<!DOCTYPE x [<!ENTITY a \"aaaa\">]><worksheet>&a;</worksheet>"))),
              HasSubstr("its XML is not as a workbook's is"));
  EXPECT_THAT(error_of(zipped(workbook("<worksheet><row>"))), HasSubstr("its XML is not as a workbook's is"));
  auto parts = workbook("");
  parts.erase("xl/worksheets/sheet2.xml");
  EXPECT_THAT(error_of(zipped(parts)), HasSubstr("it has no part xl/worksheets/sheet2.xml"));
  EXPECT_THAT(error_of(std::vector<std::byte>(100)), HasSubstr("it is no workbook (.xlsx)"));
  EXPECT_THAT(error_of({}), HasSubstr("it is no workbook (.xlsx)"));
}

TEST(Spreadsheet, AWorkbookThatUnpacksWithoutEndIsRefused) {
  EXPECT_THAT(error_of(zipped(workbook(std::string(std::size_t{257} << 20U, ' ')))),
              HasSubstr("it unpacks to more than a list of labels has"));
}

TEST(Spreadsheet, EveryCutIsAnErrorOrASheet) {
  const auto bytes = zipped(workbook("<worksheet><row><c><v>1</v></c></row></worksheet>"));
  for (std::size_t length = 0; length < bytes.size(); length += 7) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    try {
      EXPECT_LE(parse_first_sheet(cut, "t.xlsx").size(), 1U);
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
    }
  }
}

}  // namespace
}  // namespace quasar::corpus
