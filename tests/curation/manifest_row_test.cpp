#include "curation/manifest_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace quasar::curation {
namespace {

const ManifestShape kShape{{"quality", "aesthetics", "combined"}, true, true};

ManifestRow sample_row() {
  ManifestRow row;
  row.id = "a/b.jpg";
  row.source = "/data/a/b.jpg";
  row.hash = "00ff";
  row.fields = R"({"url":"http://x/?a=1,2","n":3})";
  row.offset = 512;
  row.bytes = 1234;
  row.width = 640;
  row.height = 480;
  row.label = 0.1;
  row.scores = {0.1F, 1.0F / 3.0F, 1e-7F};
  return row;
}

std::string csv_of(const ManifestRow& row, const RankedFacts& facts, const ManifestShape& shape = kShape) {
  std::string text;
  append_csv(shape, row, facts, text);
  return text;
}

nlohmann::json json_of(const ManifestRow& row, const RankedFacts& facts,
                       const ManifestShape& shape = kShape) {
  std::string text;
  append_json(shape, row, facts, text);
  EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
  return nlohmann::json::parse(text);
}

TEST(ManifestRow, SurvivesPacking) {
  const ManifestRow row = sample_row();
  std::string packed = "what was there before";
  pack_row(row, packed);
  ManifestRow back;
  back.scores = {9.0F};
  unpack_row(row.id, packed, back);
  EXPECT_EQ(back.id, row.id);
  EXPECT_EQ(back.source, row.source);
  EXPECT_EQ(back.member, "");
  EXPECT_EQ(back.hash, row.hash);
  EXPECT_EQ(back.fields, row.fields);
  EXPECT_EQ(back.offset, row.offset);
  EXPECT_EQ(back.bytes, row.bytes);
  EXPECT_EQ(back.width, row.width);
  EXPECT_EQ(back.height, row.height);
  EXPECT_EQ(back.label, row.label);
  EXPECT_EQ(back.scores, row.scores);
}

TEST(ManifestRow, HasOneCsvFieldPerHeaderAndTheFewestDigits) {
  EXPECT_EQ(csv_header(kShape),
            "rank,id,source,member,offset,bytes,hash,quality,aesthetics,combined,percentile,width,height,"
            "status,keep,"
            "reason,label,fields\n");
  EXPECT_EQ(csv_of(sample_row(), {7, 200.0 / 3.0, true, "top_k"}),
            "7,a/b.jpg,/data/a/b.jpg,,512,1234,00ff,0.1,0.33333334,1e-07,66.666667,640,480,ok,true,top_k,0.1,"
            "\"{\"\"url\"\":\"\"http://x/?a=1,2\"\",\"\"n\"\":3}\"\n");
  EXPECT_EQ(csv_header({{"q"}, false, false}),
            "rank,id,source,member,offset,bytes,hash,q,percentile,width,height,status,keep,reason\n");
}

TEST(ManifestRow, LeavesRankScoresAndPercentileOfFailedRowsEmpty) {
  ManifestRow row = sample_row();
  row.status = base::RowStatus::kDecodeFailed;
  row.scores.assign(3, std::numeric_limits<float>::quiet_NaN());
  row.label = std::numeric_limits<double>::quiet_NaN();
  row.fields = "";
  const RankedFacts facts{0, 0, false, "status: decode_failed"};
  EXPECT_EQ(
      csv_of(row, facts),
      ",a/b.jpg,/data/a/b.jpg,,512,1234,00ff,,,,,640,480,decode_failed,false,status: decode_failed,,\n");
  const auto json = json_of(row, facts);
  for (const auto* name : {"rank", "quality", "combined", "percentile", "label", "fields"}) {
    EXPECT_TRUE(json.at(name).is_null()) << name;
  }
  EXPECT_EQ(json.at("status"), "decode_failed");
}

TEST(ManifestRow, QuotesWhatWouldBreakTheTable) {
  ManifestRow row = sample_row();
  const RankedFacts facts{1, 100.0, false, "below_minimum: a,b"};
  row.id = "x,\"y\"\r\nz";
  row.source = " edge";
  row.member = "=cmd|' /C calc'!A0";
  const std::string csv = csv_of(row, facts);
  EXPECT_EQ(csv.substr(0, csv.find(",512,")), "1,\"x,\"\"y\"\"\r\nz\",\" edge\",=cmd|' /C calc'!A0");
  EXPECT_THAT(csv, testing::HasSubstr(",100,640,480,ok,false,\"below_minimum: a,b\","));
  const auto json = json_of(row, facts);
  EXPECT_EQ(json.at("id"), "x,\"y\"\r\nz");
  EXPECT_EQ(json.at("member"), "=cmd|' /C calc'!A0");
  EXPECT_EQ(json.at("fields").at("n"), 3);
}

TEST(ManifestRow, JsonReadsBackToTheSameNumbers) {
  const auto json = json_of(sample_row(), {1, 100.0, true, "all"});
  EXPECT_EQ(json.at("aesthetics").get<float>(), 1.0F / 3.0F);
  EXPECT_EQ(json.at("combined").get<float>(), 1e-7F);
  EXPECT_EQ(json.at("percentile"), 100);
  EXPECT_EQ(json.at("label").get<double>(), 0.1);
}

TEST(ManifestRow, TakesAnyBytes) {
  ManifestRow row = sample_row();
  row.id = "bad \xFF utf8 \xC3\xA4";
  row.fields = "{\"not\": json";
  const auto json = json_of(row, {1, 100.0, true, "all"});
  EXPECT_EQ(json.at("id"), "bad \xEF\xBF\xBD utf8 \xC3\xA4");
  EXPECT_TRUE(json.at("fields").is_null());
  // Sound JSON over several lines stays on one line (json_of checks).
  row.fields = "{\"a\":\r\n [1,\n2]}";
  EXPECT_EQ(json_of(row, {1, 100.0, true, "all"}).at("fields").at("a").size(), 2U);
  row.fields = "{} , \"rank\": 99";
  EXPECT_TRUE(json_of(row, {1, 100.0, true, "all"}).at("fields").is_null());
}

}  // namespace
}  // namespace quasar::curation
