#include "curation/manifest_row.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/errors.h"
#include "curation/text_sink.h"

namespace quasar::curation {
namespace {

const std::vector<std::string> kScores = {"quality", "aesthetics", "combined"};
const Columns kColumns(kScores);
const ShownColumns kAll(kColumns.size(), true);

/// A stored row, and what the ranking adds to it.
struct TestRow {
  store::RowRecord record;
  base::RowStatus status = base::RowStatus::kOk;
  std::vector<float> scores = {0.1F, 1.0F / 3.0F, 1e-7F};
  Cell rank;
  Cell percentile;
  bool keep = false;
  std::string reason;

  ManifestRow cells() const {
    ManifestRow row;
    read_row(kColumns, {record, status, scores}, row);
    row[kColumns.index_of("rank")] = rank;
    row[kColumns.index_of("percentile")] = percentile;
    row[kColumns.index_of("keep")] = keep;
    row[kColumns.index_of("reason")] = std::string_view(reason);
    return row;
  }
};

TestRow sample_row(std::uint64_t rank, double percentile, bool keep, std::string reason) {
  TestRow row;
  row.record.id = "a/b.jpg";
  row.record.source = "/data/a/b.jpg";
  row.record.hash = "00ff";
  row.record.fields = R"({"url":"http://x/?a=1,2","n":3})";
  row.record.offset = 512;
  row.record.bytes = 1234;
  row.record.width = 640;
  row.record.height = 480;
  row.record.label = 0.1;
  row.rank = rank;
  row.percentile = percentile;
  row.keep = keep;
  row.reason = std::move(reason);
  return row;
}

std::string csv_of(const TestRow& row) {
  std::string text;
  append_line(TextFormat::kCsv, kColumns, kAll, row.cells(), text);
  return text;
}

nlohmann::json json_of(const TestRow& row) {
  std::string text;
  append_line(TextFormat::kJsonLines, kColumns, kAll, row.cells(), text);
  EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
  return nlohmann::json::parse(text);
}

TEST(ManifestRow, KeepsWhatIsKnownBeforeTheOrderThroughPacking) {
  const TestRow test = sample_row(7, 50.0, true, "all");
  const ManifestRow row = test.cells();
  std::string packed = "what was there before";
  pack_row(kColumns, row, packed);
  ManifestRow back(3, Cell(true));
  unpack_row(kColumns, test.record.id, packed, back);
  ASSERT_EQ(back.size(), row.size());
  for (std::size_t c = 0; c < kColumns.size(); ++c) {
    const bool later = kColumns[c].name == "rank" || kColumns[c].name == "percentile" ||
                       kColumns[c].name == "keep" || kColumns[c].name == "reason";
    EXPECT_EQ(back[c], later ? Cell() : row[c]) << kColumns[c].name;
  }
}

TEST(ManifestRow, RefusesBytesThatAreNoRow) {
  const TestRow test = sample_row(7, 50.0, true, "all");
  std::string packed;
  pack_row(kColumns, test.cells(), packed);
  ManifestRow back;
  const auto error_of = [&](std::string_view bytes) {
    try {
      unpack_row(kColumns, "id", bytes, back);
    } catch (const base::Error& error) {
      return error.code();
    }
    return base::ExitCode::kOk;
  };
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_EQ(error_of(std::string_view(packed).substr(0, size)), base::ExitCode::kInternal) << size;
  EXPECT_EQ(error_of(packed + "x"), base::ExitCode::kInternal);
  packed[0] = '\x7F';
  EXPECT_EQ(error_of(packed), base::ExitCode::kInternal);
}

TEST(ManifestRow, HasOneCsvFieldPerHeaderAndTheFewestDigits) {
  EXPECT_EQ(header_line(TextFormat::kCsv, kColumns, kAll),
            "rank,id,source,member,offset,bytes,hash,quality,aesthetics,combined,percentile,width,height,"
            "status,keep,reason,label,fields,format,row\n");
  EXPECT_EQ(csv_of(sample_row(7, 200.0 / 3.0, true, "top_k")),
            "7,a/b.jpg,/data/a/b.jpg,,512,1234,00ff,0.1,0.33333334,1e-07,66.666667,640,480,ok,true,top_k,0.1,"
            "\"{\"\"url\"\":\"\"http://x/?a=1,2\"\",\"\"n\"\":3}\",,0\n");
  const std::vector<std::string> one = {"q"};
  const Columns columns(one);
  ShownColumns shown(columns.size(), true);
  for (const char* const optional : {"label", "fields", "format", "row"})
    shown[columns.index_of(optional)] = false;
  EXPECT_EQ(header_line(TextFormat::kCsv, columns, shown),
            "rank,id,source,member,offset,bytes,hash,q,percentile,width,height,status,keep,reason\n");
  EXPECT_EQ(header_line(TextFormat::kJsonLines, columns, shown), "");
}

TEST(ManifestRow, LeavesRankScoresAndPercentileOfFailedRowsEmpty) {
  TestRow row = sample_row(0, 0, false, "status: decode_failed");
  row.rank = row.percentile = Cell();
  row.status = base::RowStatus::kDecodeFailed;
  row.scores = {};
  row.record.label = std::numeric_limits<double>::quiet_NaN();
  row.record.fields = "";
  EXPECT_EQ(
      csv_of(row),
      ",a/b.jpg,/data/a/b.jpg,,512,1234,00ff,,,,,640,480,decode_failed,false,status: decode_failed,,,,0\n");
  const auto json = json_of(row);
  for (const auto* name : {"rank", "quality", "combined", "percentile", "label", "fields"}) {
    EXPECT_TRUE(json.at(name).is_null()) << name;
  }
  EXPECT_EQ(json.at("status"), "decode_failed");
}

TEST(ManifestRow, QuotesWhatWouldBreakTheTable) {
  TestRow row = sample_row(1, 100.0, false, "below_minimum: a,b");
  row.record.id = "x,\"y\"\r\nz";
  row.record.source = " edge";
  row.record.member = "=cmd|' /C calc'!A0";
  const std::string csv = csv_of(row);
  EXPECT_EQ(csv.substr(0, csv.find(",512,")), "1,\"x,\"\"y\"\"\r\nz\",\" edge\",=cmd|' /C calc'!A0");
  EXPECT_NE(csv.find(",100,640,480,ok,false,\"below_minimum: a,b\","), std::string::npos) << csv;
  const auto json = json_of(row);
  EXPECT_EQ(json.at("id"), "x,\"y\"\r\nz");
  EXPECT_EQ(json.at("member"), "=cmd|' /C calc'!A0");
  EXPECT_EQ(json.at("fields").at("n"), 3);
}

TEST(ManifestRow, JsonReadsBackToTheSameNumbers) {
  TestRow row = sample_row(1, 100.0, true, "all");
  const auto json = json_of(row);
  EXPECT_EQ(json.at("aesthetics").get<float>(), 1.0F / 3.0F);
  EXPECT_EQ(json.at("combined").get<float>(), 1e-7F);
  EXPECT_EQ(json.at("percentile"), 100);
  EXPECT_EQ(json.at("label").get<double>(), 0.1);
  row.record.label = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(json_of(row).at("label").is_null()) << "JSON has no infinity";
}

TEST(ManifestRow, TakesAnyBytes) {
  TestRow row = sample_row(1, 100.0, true, "all");
  row.record.id = "bad \xFF utf8 \xC3\xA4";
  row.record.fields = "{\"not\": json";
  const auto json = json_of(row);
  EXPECT_EQ(json.at("id"), "bad \xEF\xBF\xBD utf8 \xC3\xA4");
  EXPECT_TRUE(json.at("fields").is_null());
  // Sound JSON over several lines stays on one line (json_of checks).
  row.record.fields = "{\"a\":\r\n [1,\n2]}";
  EXPECT_EQ(json_of(row).at("fields").at("a").size(), 2U);
  row.record.fields = "{} , \"rank\": 99";
  EXPECT_TRUE(json_of(row).at("fields").is_null());
}

}  // namespace
}  // namespace quasar::curation
