#include "curation/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/errors.h"

namespace quasar::curation {
namespace {

using testing::HasSubstr;

std::vector<FilterRule> parse(const std::string& text) {
  return filters_from_yaml(base::ConfigNode::parse_text(text, "test.yaml"));
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    return error.what();
  }
  return "no error";
}

/// What the filters of a configuration say of a row: "" when it passes.
std::string verdict(const std::string& text, const store::RowRecord& row,
                    const std::vector<std::string>& scores = {"q"}, std::vector<float> values = {0.5F}) {
  const auto rules = parse(text);
  Filters filters(rules, scores);
  const auto fault = filters.apply(row, values);
  return fault ? filter_reason(rules[fault->filter], fault->missing) : "";
}

store::RowRecord picture(int width, int height, const std::string& fields = "") {
  store::RowRecord row;
  row.id = "a/b.jpg";
  row.width = width;
  row.height = height;
  row.bytes = 1000;
  row.fields = fields;
  return row;
}

TEST(Filter, BoundsIncludeThemselves) {
  const std::string text = "filters: {side: {column: min_side, at_least: 200, at_most: 300}}";
  EXPECT_EQ(verdict(text, picture(200, 900)), "");
  EXPECT_EQ(verdict(text, picture(900, 300)), "");
  EXPECT_EQ(verdict(text, picture(199, 900)), "filter: side");
  EXPECT_EQ(verdict(text, picture(301, 301)), "filter: side");
}

TEST(Filter, BesideABoundATextIsComparedAsItStands) {
  const std::string text =
      "filters: {take: {column: take, at_least: 5, one_of: ['007', '8.50'], matches: '0'}}";
  EXPECT_EQ(verdict(text, picture(1, 1, R"({"take": "007"})")), "");
  EXPECT_EQ(verdict(text, picture(1, 1, R"({"take": "8.50"})")), "");
  EXPECT_EQ(verdict(text, picture(1, 1, R"({"take": "7"})")), "filter: take");
  EXPECT_EQ(verdict(text, picture(1, 1, R"({"take": "004"})")), "filter: take");
  EXPECT_EQ(verdict(text, picture(1, 1, R"({"take": "x007"})")), "filter: take (no value)");
}

TEST(Filter, AspectIsTheLongerSideByTheShorter) {
  const std::string text = "filters: {shape: {column: aspect, at_most: 3}}";
  EXPECT_EQ(verdict(text, picture(300, 100)), "");
  EXPECT_EQ(verdict(text, picture(100, 301)), "filter: shape");
  EXPECT_EQ(verdict(text, picture(0, 0)), "filter: shape (no value)");
}

TEST(Filter, FieldsAreNumbersOrTexts) {
  const std::string fields =
      R"({"similarity":"0.31","LANGUAGE":"en","n":7,"odd":"0.3 or so","none":"","flag":true})";
  const auto row = picture(10, 10, fields);
  EXPECT_EQ(verdict("filters: {s: {column: similarity, at_least: 0.28}}", row), "");
  EXPECT_EQ(verdict("filters: {s: {column: similarity, at_least: 0.32}}", row), "filter: s");
  EXPECT_EQ(verdict("filters: {s: {column: odd, at_least: 0.28}}", row), "filter: s (no value)");
  EXPECT_EQ(verdict("filters: {s: {column: odd, at_least: 0.28, missing: keep}}", row), "");
  EXPECT_EQ(verdict("filters: {s: {column: none, matches: x}}", row), "filter: s (no value)");
  EXPECT_EQ(verdict("filters: {s: {column: absent, matches: x, missing: keep}}", row), "");
  EXPECT_EQ(verdict("filters: {s: {column: n, at_most: 7}}", row), "");
  EXPECT_EQ(verdict("filters: {s: {column: flag, one_of: ['true']}}", row), "");
  EXPECT_EQ(verdict("filters: {l: {column: LANGUAGE, one_of: [de, en]}}", row), "");
  EXPECT_EQ(verdict("filters: {l: {column: fields.LANGUAGE, one_of: [de]}}", row), "filter: l");
  EXPECT_EQ(verdict("filters: {l: {column: LANGUAGE, one_of: [en]}}", picture(1, 1, "no JSON")),
            "filter: l (no value)");
  // A column of every row goes before a field of the same name, which a prefix names.
  EXPECT_EQ(verdict("filters: {w: {column: width, at_least: 5}}", picture(10, 10, R"({"width":"1"})")), "");
  EXPECT_EQ(verdict("filters: {w: {column: fields.width, at_least: 5}}", picture(10, 10, R"({"width":"1"})")),
            "filter: w");
}

TEST(Filter, ExpressionsAreFoundAnywhereAndTakeLongTexts) {
  EXPECT_EQ(verdict("filters: {f: {column: id, matches: '[.]jpe?g$'}}", picture(1, 1)), "");
  EXPECT_EQ(verdict("filters: {f: {column: id, matches: '^b'}}", picture(1, 1)), "filter: f");
  // Three words at least, and a text that overruns implementations that recurse.
  const std::string words = "filters: {f: {column: t, matches: '([^ ]+ +){2}[^ ]'}}";
  EXPECT_EQ(verdict(words, picture(1, 1, R"({"t":"two words"})")), "filter: f");
  EXPECT_EQ(verdict(words, picture(1, 1, "{\"t\":\"" + std::string(2'000'000, 'a') + "\"}")), "filter: f");
  EXPECT_EQ(verdict(words, picture(1, 1, R"({"t":"three words there"})")), "");
}

TEST(Filter, ScoresByName) {
  const std::vector<std::string> scores = {"q", "nice", "combined"};
  EXPECT_EQ(
      verdict("filters: {f: {column: nice, at_least: 0.75}}", picture(1, 1), scores, {0.9F, 0.7F, 0.8F}),
      "filter: f");
  EXPECT_EQ(verdict("filters: {f: {column: nice, at_least: 0.7}}", picture(1, 1), scores, {0.1F, 0.7F, 0.2F}),
            "");
  EXPECT_EQ(
      verdict("filters: {f: {column: nice, at_least: 0.25}}", picture(1, 1), scores, {0.1F, 0.25F, 0.2F}),
      "");
  EXPECT_EQ(verdict("filters: {f: {column: combined, at_least: 0.5}}", picture(1, 1)), "") << "of one set";
}

TEST(Filter, PresetsComeFirstAndEachFilterCountsByItself) {
  const auto rules = parse(
      "filter_presets: [datacomp-basic]\nfilters: {heavy: {column: bytes, at_most: 10}, odd: {column: x, "
      "matches: y}}");
  ASSERT_EQ(rules.size(), 4U);
  const std::vector<std::string> scores = {"q"};
  const std::vector<float> values = {0.5F};
  Filters filters(rules, scores);
  const auto narrow = filters.apply(picture(1000, 100), values);
  ASSERT_TRUE(narrow);
  EXPECT_EQ(filter_reason(rules[narrow->filter], narrow->missing), "filter: datacomp-basic.min_side");
  EXPECT_EQ(filters.apply(picture(200, 200), values)->filter, 2U);
  EXPECT_EQ(filters.counts()[0].failed, 1U);
  EXPECT_EQ(filters.counts()[1].failed, 1U);
  EXPECT_EQ(filters.counts()[2].failed, 2U);
  EXPECT_EQ(filters.counts()[3].failed, 2U);
  EXPECT_EQ(filters.counts()[3].missing, 2U);
}

TEST(Filter, RefusesWhatMeansNothing) {
  const auto error = [](const std::string& text) { return error_of([&] { parse(text); }); };
  EXPECT_THAT(error("filters: {f: {at_least: 1}}"), HasSubstr("filters.f"));
  EXPECT_THAT(error("filters: {f: {column: width}}"), HasSubstr("asks nothing"));
  EXPECT_THAT(error("filters: {f: {column: width, at_lest: 1}}"), HasSubstr("at_least"));
  EXPECT_THAT(error("filters: {f: {column: width, at_least: 2, at_most: 1}}"), HasSubstr("at_least is more"));
  EXPECT_THAT(error("filters: {f: {column: width, at_least: .nan}}"), HasSubstr("number"));
  EXPECT_THAT(error("filters: {f: {column: id, matches: '('}}"), HasSubstr("regular expression"));
  EXPECT_THAT(error("filters: {f: {column: id, one_of: []}}"), HasSubstr("names no value"));
  EXPECT_THAT(error("filters: {f: {column: id, matches: x, missing: maybe}}"), HasSubstr("missing"));
  EXPECT_THAT(error("filter_presets: [datacomp-basics]"), HasSubstr("did you mean 'datacomp-basic'"));
  EXPECT_THAT(error("filter_presets: [laion, laion]"), HasSubstr("two filters are named 'laion.similarity'"));
}

TEST(Filter, NamesTheNearestColumn) {
  const auto error = [](const std::string& text, const std::set<std::string>& fields) {
    return error_of([&] { check_filter_columns(parse(text), {"quality"}, fields); });
  };
  EXPECT_THAT(error("filters: {f: {column: min_sid, at_least: 1}}", {}),
              testing::AllOf(HasSubstr("test.yaml:1:"), HasSubstr("filters.f.column"), HasSubstr("no fields"),
                             HasSubstr("did you mean 'min_side'")));
  EXPECT_THAT(error("filters: {f: {column: qualty, at_least: 1}}", {}), HasSubstr("'quality'"));
  EXPECT_THAT(error("filter_presets: [laion]", {"similarity", "pusafe", "pwatermark"}),
              testing::AllOf(HasSubstr("'punsafe'"), HasSubstr("did you mean 'pusafe'")));
  EXPECT_EQ(error("filters: {f: {column: fields.a, at_least: 1}}", {"a"}), "no error");
  EXPECT_TRUE(may_need_fields(parse("filters: {f: {column: a, at_least: 1}}"), {"quality"}));
  EXPECT_FALSE(may_need_fields(parse("filters: {f: {column: quality, at_least: 1}}"), {"quality"}));
}

}  // namespace
}  // namespace quasar::curation
