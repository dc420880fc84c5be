#include "corpus/sources/lenient_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace quasar::corpus {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(LenientJson, TakesWhatPythonWrites) {
  SourceCounts counts;
  const auto json = parse_lenient_json(
      R"({"a": NaN, "b": [Infinity, -Infinity, 1e999, -1e-999], "c": "NaN \\ Infinity", "d": 5})", counts);
  EXPECT_EQ(json.dump(), R"({"a":null,"b":[null,null,null,-0.0],"c":"NaN \\ Infinity","d":5})");
  EXPECT_THAT(counts.left_out, ElementsAre(Pair("values that are no numbers (NaN, Infinity)", 4)));
}

TEST(LenientJson, ReplacesHalvesOfSurrogatePairsAlone) {
  SourceCounts counts;
  const auto json =
      parse_lenient_json(R"(["\ud83d\ude00", "\ud83d", "\ude00\ud83d", "\ud83d\n", "\\ud83d"])", counts);
  EXPECT_EQ(json[0], "\xF0\x9F\x98\x80");
  EXPECT_EQ(json[1], "\xEF\xBF\xBD");
  EXPECT_EQ(json[2], "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(json[3], "\xEF\xBF\xBD\n");
  EXPECT_EQ(json[4], "\\ud83d");
  EXPECT_EQ(counts.left_out.begin()->second, 4U);
}

TEST(LenientJson, EscapesBytesThatAreNotUtf8) {
  SourceCounts counts;
  EXPECT_EQ(parse_lenient_json("{\"c\": \"caf\xE9\"}", counts)["c"], "caf%E9");
  EXPECT_EQ(counts.left_out.size(), 1U);
}

TEST(LenientJson, RefusesWhatIsNoJsonAndCountsNothing) {
  for (const auto* text :
       {"", "{", "{\"a\": NaNx}", "[nan]", "{\"a\": NaN", "[\"\\ud83d]", "[1 2]", "-", "[\"\\x\"]"}) {
    SourceCounts counts;
    EXPECT_THROW(parse_lenient_json(text, counts), nlohmann::json::exception) << text;
    EXPECT_THAT(counts.left_out, IsEmpty()) << text;
  }
}

TEST(LenientJson, WhatItGivesCanAlwaysBeWritten) {
  const std::string seed = R"({"a": [NaN, -Infinity, 1.5e3, "\ud83d\ude00 \ud83d"], "b\u00e9": {"c": null}})";
  base::Random random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed;
    for (std::uint64_t i = random.below(5) + 1; i > 0; --i)
      text[random.below(text.size())] = static_cast<char>(random.below(256));
    SourceCounts counts;
    try {
      const auto json = parse_lenient_json(text, counts);
      EXPECT_EQ(nlohmann::json::parse(json.dump()).dump(), json.dump());
    } catch (const nlohmann::json::parse_error&) {
      EXPECT_THAT(counts.left_out, IsEmpty());
    }
  }
}

}  // namespace
}  // namespace quasar::corpus
