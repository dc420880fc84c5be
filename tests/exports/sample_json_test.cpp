#include "exports/sample_json.h"

#include <gtest/gtest.h>

namespace quasar::exports {
namespace {

ManifestLine line() {
  ManifestLine made;
  made.columns = nlohmann::ordered_json::parse(
      R"({"rank":3,"id":"a/b.jpg","source":"/data/a/b.jpg","member":"","offset":0,"bytes":7,"hash":"00ff",)"
      R"("quality":0.1234567,"keep":true,"reason":"all","fields":{"url":"https://a.example/\"x\""}})");
  return made;
}

const char* const kRow =
    R"({"rank":3,"id":"a/b.jpg","bytes":7,"hash":"00ff","quality":0.1234567,"reason":"all"})";

TEST(SampleJsonTest, WhatTheSampleHadStaysByteForByte) {
  EXPECT_EQ(sample_json(line(), "{ \"b\": 1.50,\n \"a\": NaN }\n").value(),
            std::string("{ \"b\": 1.50,\n \"a\": NaN , \"quasar\": ") + kRow + "}");
  EXPECT_EQ(sample_json(line(), " {} ").value(), std::string(" {\"quasar\": ") + kRow + "}");
}

TEST(SampleJsonTest, AKeyThatIsTakenStays) {
  EXPECT_EQ(sample_json(line(), R"({"quasar":{"rank":9},"quasar_2":0})").value(),
            std::string(R"({"quasar":{"rank":9},"quasar_2":0, "quasar_3": )") + kRow + "}");
}

TEST(SampleJsonTest, WithoutOneTheFieldsOfTheCorpusAreThere) {
  EXPECT_EQ(sample_json(line(), std::nullopt).value(),
            std::string(R"({"url":"https://a.example/\"x\"", "quasar": )") + kRow + "}");
  auto bare = line();
  bare.columns.erase("fields");
  EXPECT_EQ(sample_json(bare, std::nullopt).value(), std::string("{\"quasar\": ") + kRow + "}");
}

TEST(SampleJsonTest, WhatIsNoObjectIsLeftAlone) {
  for (const char* const text : {"", "[]", "null", "{", "{\"a\":1} x", "\"{}\"", "{\"a\":1,}"})
    EXPECT_FALSE(sample_json(line(), text)) << text;
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "[";
  EXPECT_FALSE(sample_json(line(), deep));
}

}  // namespace
}  // namespace quasar::exports
