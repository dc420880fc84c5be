// Scores against ratings, from tables as people have them and from a run's own manifest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

TEST_F(EvaluateTest, TablesAreReadAsOtherProgramsWriteThem) {
  const std::string rows[] = {"1,2", "3,3", "2,1", "5,4", "4,5", "6,8", "7,7"};
  std::string pandas = ",score,mos\r\n";
  std::string semicolons = "\xEF\xBB\xBF\"score\";\"mos\";\r\n";
  std::string tabs = "score\tmos\n";
  std::string lines = "{\"score\": NaN, \"mos\": 3}\n{\"score\": 3, \"mos\": -Infinity}\n";
  for (const auto& row : rows) {
    const auto score = row.substr(0, 1);
    const auto mos = row.substr(2);
    pandas += "0," + row + "\r\n";
    semicolons += score + ";" + mos + ";\r\n";
    tabs += score + "\t" + mos + "\n";
    lines += "{\"score\": " + score + ", \"mos\": " + mos + "}\n";
  }
  const std::vector<std::string> columns = {"--score", "score", "--label", "mos"};
  for (const auto& [name, text] : {std::pair("pandas.csv", pandas),
                                   {"semicolons.csv", semicolons},
                                   {"tabs.TSV", tabs},
                                   {"tabs.txt", tabs},
                                   {"lines.jsonl", lines}}) {
    const auto outcome = evaluate(table(name, text), columns);
    ASSERT_EQ(outcome.status, 0) << name << ": " << outcome.output;
    EXPECT_EQ(written().at("n"), 7) << name;
    EXPECT_NEAR(written().at("srcc").get<double>(), 25.0 / 28, 1e-12) << name;
  }
  EXPECT_EQ(written().at("rows"), 9);
  EXPECT_EQ(written().at("left_out").at("score missing or not finite: score"), 1);
  EXPECT_EQ(written().at("left_out").at("label missing or not finite"), 1);
  const auto cut = evaluate(table("cut.jsonl", lines + "{\"score\": "), columns);
  EXPECT_EQ(cut.status, 4);
  EXPECT_THAT(cut.output, HasSubstr("cut.jsonl:10: not well-formed JSON"));
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
  const auto twice = evaluate(rated, {"--score", "score", "--score", "score", "--label", "mos"});
  EXPECT_EQ(twice.status, 2) << twice.output;
  EXPECT_THAT(twice.output, HasSubstr("--score score is given twice"));
  const auto resamples = evaluate(rated, {"--score", "score", "--label", "mos", "--bootstrap", "-1"});
  EXPECT_EQ(resamples.status, 2) << resamples.output;
  EXPECT_THAT(resamples.output, HasSubstr("--bootstrap"));
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
  const auto csv = content(scratch_ / "run" / "evaluation.csv");
  EXPECT_THAT(csv, AllOf(HasSubstr("srcc_low,srcc_high"), HasSubstr("1 picture is missing"))) << csv;
  EXPECT_THAT(page, HasSubstr("95% intervals"));
  const auto unknown = run_quasar({"evaluate", config.string(), "--score", "qualty"});
  EXPECT_EQ(unknown.status, 2) << unknown.output;
  EXPECT_THAT(unknown.output, HasSubstr("no anchor set of that name; there are: quality; did you mean"));
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

TEST_F(EvaluateTest, WhatIsTooFewOrConstantIsNamedEverywhere) {
  const auto csv_file = scratch_ / "out.csv";
  const auto few = evaluate(table("few.csv", "score,mos\n1,1\n2,3\n4,\n"),
                            {"--score", "score", "--label", "mos", "--csv", csv_file.string()});
  ASSERT_EQ(few.status, 0) << few.output;
  EXPECT_THAT(few.output, HasSubstr("fewer than three rated pictures (2)"));
  EXPECT_THAT(written().at("remarks").dump(), HasSubstr("fewer than three rated pictures"));
  EXPECT_EQ(written().at("left_out").at("label missing or not finite"), 1);
  EXPECT_THAT(content(csv_file), HasSubstr(",3,1 label missing or not finite,"));

  const auto groups = evaluate(table("groups.csv", "score,mos,g\n1,1,a\n1,2,a\n1,3,a\n1,4,b\n"),
                               {"--score", "score", "--label", "mos", "--group", "g", "--csv",
                                csv_file.string(), "--html", (scratch_ / "out.html").string()});
  ASSERT_EQ(groups.status, 0) << groups.output;
  EXPECT_EQ(written().at("noted").at("groups of fewer than three rated pictures"), 1);
  EXPECT_THAT(written().at("undefined").dump(), HasSubstr("all scores are equal"));
  const auto csv = content(csv_file);
  EXPECT_THAT(csv, AllOf(HasSubstr("srcc: all scores are equal"),
                         HasSubstr("1 groups of fewer than three rated pictures")));
  EXPECT_THAT(content(scratch_ / "out.html"),
              AllOf(HasSubstr("all scores are equal"), HasSubstr("groups of fewer than three")));
}

TEST_F(EvaluateTest, IntervalsOfBothKindsAreInEveryOutput) {
  std::string text = "score,mos\n";
  for (int i = 0; i < 50; ++i) text += std::to_string(i * 17 % 50 + i) + "," + std::to_string(i) + "\n";
  const auto outcome =
      evaluate(table("rated.csv", text),
               {"--score", "score", "--label", "mos", "--bootstrap", "200", "--csv",
                (scratch_ / "out.csv").string(), "--html", (scratch_ / "out.html").string()});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("95%: KRCC "), HasSubstr("by 200 resamples: SRCC ")));
  const auto found = written();
  const auto csv = content(scratch_ / "out.csv");
  for (const double bound : {found.at("intervals95").at("srcc").at(0).get<double>(),
                             found.at("intervals95").at("plcc").at(1).get<double>(),
                             found.at("bootstrap").at("srcc").at("interval95").at(0).get<double>(),
                             found.at("bootstrap").at("plcc").at("interval95").at(1).get<double>()}) {
    EXPECT_THAT(csv, HasSubstr(json(bound).dump().substr(0, 12)));
  }
  EXPECT_THAT(content(scratch_ / "out.html"),
              AllOf(HasSubstr("95% intervals"), HasSubstr("SRCC, resampled")));
}

/// A run's corpus that has what can go wrong with labels, and a second run of the same pictures.
class RatedRunTest : public EvaluateTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(
        render_scenes(scratch_ / "pictures", {"--count", "6", "--width", "64", "--height", "64"}).status, 0);
    for (const auto& entry : fs::directory_iterator(scratch_ / "pictures"))
      pictures_.push_back(entry.path().string());
    std::sort(pictures_.begin(), pictures_.end());
  }

  /// Runs over rows of "path,mos,reference" into a folder of this name.
  Outcome run(const std::string& name, const std::string& rows, const std::string& more = "") {
    write_text(scratch_ / (name + ".csv"), "path,mos,reference\n" + rows);
    write_text(scratch_ / (name + ".yaml"),
               "run: " + (scratch_ / name).string() +
                   "\ncorpus: {table: " + (scratch_ / (name + ".csv")).string() +
                   ", path_column: path, label_column: mos, group_column: reference}\nanchors: {quality: " +
                   (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n" + more);
    return run_quasar({"run", (scratch_ / (name + ".yaml")).string()});
  }
  std::string rows(double shift = 0) const {
    std::string text;
    for (std::size_t i = 0; i < pictures_.size(); ++i)
      text += pictures_[i] + "," + std::to_string(static_cast<double>(i) + shift) + ",\n";
    return text;
  }
  json evaluation(const std::string& name) {
    return json::parse(content(scratch_ / name / "evaluation.json"));
  }

  std::vector<std::string> pictures_;
};

TEST_F(RatedRunTest, EveryKindOfBadDataIsCountedAndNamed) {
  const auto reference = (scratch_ / "pictures" / "no-reference.png").string();
  fs::copy_file(pictures_[0], scratch_ / "pictures" / "again.png");
  std::string text = rows();
  text += reference + ",5,\n";
  text += (scratch_ / "pictures" / "again.png").string() + ",nan," + reference + "\n";
  const auto made = run("run", text);
  ASSERT_EQ(made.status, 0) << made.output;
  const auto outcome = run_quasar({"evaluate", (scratch_ / "run").string()});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto found = evaluation("run");
  EXPECT_EQ(found.at("n"), pictures_.size());
  EXPECT_EQ(found.at("left_out").at("picture is missing"), 1) << found.at("left_out");
  EXPECT_EQ(found.at("left_out").at("label missing or not finite"), 1) << found.at("left_out");
  EXPECT_EQ(found.at("noted").at("pictures whose reference could not be read"), 1) << found.at("noted");
  EXPECT_EQ(found.at("noted").at("pictures whose bytes are those of an earlier row"), 1) << found.at("noted");
  const auto csv = content(scratch_ / "run" / "evaluation.csv");
  for (const char* said : {"picture is missing", "pictures whose reference could not be read"}) {
    EXPECT_THAT(outcome.output, HasSubstr(said));
    EXPECT_THAT(csv, HasSubstr(said));
    EXPECT_THAT(content(scratch_ / "run" / "evaluation.html"), HasSubstr(said));
  }
}

TEST_F(RatedRunTest, ScoresThatAreNotOfTheConfigurationAreRefused) {
  const auto late = (scratch_ / "pictures" / "late.png").string();
  ASSERT_EQ(run("run", rows() + late + ",5,\n").status, 0);
  ASSERT_EQ(run("good", rows() + late + ",5,\n").status, 0);
  const auto config = (scratch_ / "run.yaml").string();
  const auto good = (scratch_ / "good").string();
  const auto others = [&](const std::string& kind) {
    return "anchors={quality: {corpus: {directory: " + (scratch_ / "pictures").string() +
           "}, distortions: {kinds: [" + kind + "], levels: [4]}}}";
  };
  ASSERT_EQ(run_quasar({"anchors", config, "--set", others("jpeg")}).status, 0);
  // By the recipe of the set, by its fingerprint, and in a run that is compared with.
  const auto recipe = run_quasar({"evaluate", config, "--set", others("white_noise")});
  EXPECT_EQ(recipe.status, 6) << recipe.output;
  EXPECT_THAT(recipe.output, HasSubstr("was built by another recipe than the configured one"));
  const auto fingerprint = run_quasar({"evaluate", config, "--set", others("jpeg")});
  EXPECT_EQ(fingerprint.status, 6) << fingerprint.output;
  EXPECT_THAT(fingerprint.output, AllOf(HasSubstr("was scored by other anchors \"quality\""),
                                        HasSubstr("run \"quasar score\" first")));
  const auto compared = run_quasar({"evaluate", good, "--with", (scratch_ / "run").string()});
  EXPECT_EQ(compared.status, 6) << compared.output;
  EXPECT_THAT(compared.output, HasSubstr("was scored by other anchors \"quality\""));
  EXPECT_EQ(run_quasar({"evaluate", config}).status, 0) << "with the configuration set back";

  // A picture that comes later changes embeddings that were scored.
  fs::copy_file(pictures_[0], late);
  ASSERT_EQ(run_quasar({"embed", config, "--retry-failed"}).status, 0);
  for (const auto& words :
       {std::vector<std::string>{"evaluate", config}, {"evaluate", good, "--with", config}}) {
    const auto stale = run_quasar(words);
    EXPECT_EQ(stale.status, 6) << stale.output;
    EXPECT_THAT(stale.output, AllOf(HasSubstr("was embedded anew after"), HasSubstr("score the run again")));
  }
  ASSERT_EQ(run_quasar({"score", config}).status, 0);
  EXPECT_EQ(run_quasar({"evaluate", config}).status, 0);
}

TEST_F(RatedRunTest, RunsOfTheSamePicturesAreCompared) {
  ASSERT_EQ(run("first", rows()).status, 0);
  ASSERT_EQ(run("second", rows()).status, 0);
  const auto first = (scratch_ / "first").string();
  const auto second = (scratch_ / "second").string();
  const auto outcome = run_quasar({"evaluate", first, "--with", second}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("quality against quality (second)"));
  const auto found = evaluation("first");
  ASSERT_EQ(run_quasar({"evaluate", second}).status, 0);
  EXPECT_EQ(found.at("scorers").at("quality (second)").at("srcc"), evaluation("second").at("srcc"));
  EXPECT_TRUE(found.at("comparisons").at(0).at("srcc").contains("steiger"));

  ASSERT_EQ(run("fewer", rows().substr(0, rows().find('\n') + 1)).status, 0);
  const auto other = run_quasar({"evaluate", first, "--with", (scratch_ / "fewer").string()});
  EXPECT_EQ(other.status, 6) << other.output;
  EXPECT_THAT(other.output, HasSubstr("1 ids are in both, 5 only in the first run, 0 only in the other"));
  ASSERT_EQ(run("shifted", rows(0.5)).status, 0);
  const auto labels = run_quasar({"evaluate", first, "--with", (scratch_ / "shifted").string()});
  EXPECT_EQ(labels.status, 6) << labels.output;
  EXPECT_THAT(labels.output, HasSubstr("those of 6 of 6 pictures differ"));
  const auto table = run_quasar({"evaluate", "--table", (scratch_ / "first.csv").string(), "--with", second,
                                 "--score", "mos", "--label", "mos"});
  EXPECT_EQ(table.status, 2) << table.output;
}

}  // namespace
