// Scores against ratings, from tables as people have them and from a run's own manifest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

class EvaluateTest : public testing::Test {
 protected:
  Outcome evaluate(const fs::path& table, std::vector<std::string> rest) {
    std::vector<std::string> words = {"evaluate", "--table", table.string(), "--json",
                                      (scratch_ / "out.json").string()};
    words.insert(words.end(), rest.begin(), rest.end());
    return run_quasar(words);
  }
  json written() { return json::parse(content(scratch_ / "out.json")); }
  fs::path table(const std::string& name, const std::string& text) {
    write_text(scratch_ / name, text);
    return scratch_ / name;
  }

  ScratchFolder scratch_;
};

TEST_F(EvaluateTest, RealLabelsGiveTheValuesOfSciPy) {
  const auto labels = shared_data() / "data" / "labels" / "koniq10k" / "koniq10k_distributions_sets.csv";
  QUASAR_REQUIRE_DATA(labels);
  const auto outcome = evaluate(labels, {"--score", "MOS", "--label", "SD", "--group", "set"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("-0.3174"), HasSubstr("10073 evaluated")));
  const auto found = written();
  EXPECT_EQ(found.at("n"), 10073);
  EXPECT_NEAR(found.at("srcc").get<double>(), -0.317436, 1e-6);
  EXPECT_NEAR(found.at("krcc").get<double>(), -0.221507, 1e-6);
  EXPECT_NEAR(found.at("plcc_logistic4").get<double>(), 0.36238227, 1e-6);
  EXPECT_EQ(found.at("groups").at("test").at("n"), 2015);
}

TEST_F(EvaluateTest, BadCellsCostTheirRowsAndAreCountedByKind) {
  std::string text = "name,score,mos\n";
  for (int i = 0; i < 20; ++i)
    text += "p" + std::to_string(i) + "," + std::to_string(i * i) + "," + std::to_string(i) + "\n";
  text += "a,,3\nb,nan,4\nc,5,\nd,oops,5\ne,6,n/a\nf,inf,7\n";
  const auto outcome = evaluate(table("rated.csv", text), {"--score", "score", "--label", "mos"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto found = written();
  EXPECT_EQ(found.at("rows"), 26);
  EXPECT_EQ(found.at("n"), 20);
  EXPECT_EQ(found.at("srcc"), 1);
  std::uint64_t left_out = 0;
  for (const auto& [why, count] : found.at("left_out").items()) left_out += count.get<std::uint64_t>();
  EXPECT_EQ(left_out, 6U);
  EXPECT_EQ(found.at("left_out").at("score score is no number"), 1);
  EXPECT_EQ(found.at("left_out").at("label is no number"), 1);
}

TEST_F(EvaluateTest, TwoScorersAreComparedFromJsonLines) {
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text +=
        json{{"a", i + (i * 7 % 5)}, {"b", i * 37 % 61}, {"mos", i}, {"kind", i % 2 == 0 ? "even" : "odd"}}
            .dump() +
        "\n";
  }
  const auto outcome =
      evaluate(table("rated.jsonl", text), {"--score", "a", "--score", "b", "--label", "mos", "--group",
                                            "kind", "--csv", (scratch_ / "out.csv").string()});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto found = written();
  EXPECT_GT(found.at("scorers").at("a").at("srcc").get<double>(), 0.95);
  EXPECT_LT(found.at("comparisons").at(0).at("srcc").at("williams").at("p").get<double>(), 0.01);
  EXPECT_THAT(outcome.output, HasSubstr("a against b"));
  const auto csv = content(scratch_ / "out.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 7);
}

TEST_F(EvaluateTest, WhatCannotBeSaysWhy) {
  const auto rated = table("rated.csv", "score,mos\n1,\n2,x\n");
  const auto nothing = evaluate(rated, {"--score", "score", "--label", "mos"});
  EXPECT_EQ(nothing.status, 8) << nothing.output;
  EXPECT_THAT(nothing.output, HasSubstr("label is no number"));
  const auto column = evaluate(rated, {"--score", "scor", "--label", "mos"});
  EXPECT_EQ(column.status, 4) << column.output;
  EXPECT_THAT(column.output, HasSubstr("did you mean \"score\""));
  const auto missing = evaluate(scratch_ / "none.csv", {"--score", "score", "--label", "mos"});
  EXPECT_EQ(missing.status, 4) << missing.output;
  EXPECT_EQ(run_quasar({"evaluate", "--table", rated.string()}).status, 2);
  const auto constant =
      evaluate(table("constant.csv", "score,mos\n1,1\n1,2\n1,3\n"), {"--score", "score", "--label", "mos"});
  EXPECT_EQ(constant.status, 0) << constant.output;
  EXPECT_TRUE(written().at("srcc").is_null());
  EXPECT_THAT(constant.output, HasSubstr("all scores are equal"));
}

TEST_F(EvaluateTest, ARunIsEvaluatedAndItsManifestIsATable) {
  const auto rendered =
      render_scenes(scratch_ / "pictures", {"--count", "8", "--width", "64", "--height", "64"});
  ASSERT_EQ(rendered.status, 0) << rendered.output;
  std::string rows = "path,mos,theme\n";
  int number = 0;
  for (const auto& entry : fs::directory_iterator(scratch_ / "pictures")) {
    ++number;
    rows += entry.path().string() + "," + std::to_string(number) + (number % 2 == 0 ? ",even\n" : ",odd\n");
  }
  rows += (scratch_ / "not-there.jpg").string() + ",3,odd\n";
  const auto list = table("labels.csv", rows);
  const auto config = table(
      "config.yaml", "run: " + (scratch_ / "run").string() + "\ncorpus: {table: " + list.string() +
                         ", path_column: path, label_column: mos, fields: [theme]}\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
  const auto run = run_quasar({"run", config.string()});
  ASSERT_EQ(run.status, 0) << run.output;
  const auto outcome =
      evaluate(scratch_ / "run" / "manifest.csv", {"--score", "quality", "--label", "label"});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(written().at("n"), number);
  EXPECT_EQ(written().at("left_out").at("score missing or not finite: quality"), 1)
      << "a picture without a score is counted";
  const auto of_table = written();

  const auto of_run = run_quasar({"evaluate", config.string(), "--group", "theme"}, 2);
  ASSERT_EQ(of_run.status, 0) << of_run.output;
  const auto found = json::parse(content(scratch_ / "run" / "evaluation.json"));
  EXPECT_EQ(found.at("n"), number);
  EXPECT_EQ(found.at("left_out").at("picture is missing"), 1);
  EXPECT_EQ(found.at("groups").at("even").at("n"), number / 2);
  EXPECT_NEAR(found.at("srcc").get<double>(), of_table.at("srcc").get<double>(), 1e-12);
  const auto page = content(scratch_ / "run" / "evaluation.html");
  EXPECT_THAT(page, AllOf(HasSubstr("Worst disagreements"), HasSubstr("picture is missing"),
                          HasSubstr("<svg"), HasSubstr("data:image/jpeg;base64,")));
  // Pictures that are gone are said to be; the numbers stay.
  fs::remove_all(scratch_ / "pictures");
  const auto of_folder = run_quasar({"evaluate", (scratch_ / "run").string(), "--folds", "2"});
  ASSERT_EQ(of_folder.status, 0) << of_folder.output;
  EXPECT_THAT(of_folder.output, HasSubstr("fold 2"));
  EXPECT_EQ(json::parse(content(scratch_ / "run" / "evaluation.json")).at("srcc"), found.at("srcc"));
  EXPECT_THAT(content(scratch_ / "run" / "evaluation.html"), Not(HasSubstr("data:image/jpeg")));
  const auto nothing = run_quasar({"evaluate", (scratch_ / "run").string(), "--group", "colour"});
  EXPECT_EQ(nothing.status, 3) << nothing.output;
  EXPECT_THAT(nothing.output, HasSubstr("--group colour: no row has one"));
  const auto both = run_quasar({"evaluate", config.string(), "--table", list.string()});
  EXPECT_EQ(both.status, 2) << both.output;
}

}  // namespace
