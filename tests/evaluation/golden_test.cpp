// Against the values of SciPy, and for what it lacks of the papers' formulas.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "evaluation/correlation.h"
#include "evaluation/intervals.h"
#include "evaluation/logistic_fit.h"
#include "evaluation/significance.h"
#include "support/test_data.h"

namespace quasar::evaluation {
namespace {

using nlohmann::json;
using Values = std::vector<double>;

std::filesystem::path golden(const char* file) {
  return test::shared_data() / "golden" / "evaluation" / file;
}

json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return json::parse(file);
}

/// The generator that the golden files name.
class Lcg {
 public:
  explicit Lcg(std::uint64_t seed) : state_(seed) {}
  double uniform() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 11U) * 0x1.0p-53;
  }
  double normal() {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum - 6.0;
  }

 private:
  std::uint64_t state_;
};

struct Sample {
  Values x;
  Values y;
};

/// Columns of a comma-separated file without quotes.
std::vector<std::map<std::string, std::string>> read_csv(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> names;
  std::vector<std::map<std::string, std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream cells(line);
    std::vector<std::string> values;
    for (std::string cell; std::getline(cells, cell, ',');) values.push_back(cell);
    if (names.empty()) {
      names = values;
      continue;
    }
    auto& row = rows.emplace_back();
    for (std::size_t i = 0; i < names.size(); ++i) row[names[i]] = values.at(i);
  }
  return rows;
}

/// Of the ratings 1, 2, ..., given so many times each.
void add_mean_and_deviation(const Values& counts, Sample& sample) {
  double ratings = 0;
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    ratings += counts[i];
    sum += static_cast<double>(i + 1) * counts[i];
  }
  const double mean = sum / ratings;
  // NumPy's order of additions, as ties hang on the last bit.
  Values terms;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double difference = static_cast<double>(i + 1) - mean;
    terms.push_back(counts[i] * (difference * difference));
  }
  const auto& t = terms;
  double squares = ((t[0] + t[1]) + (t[2] + t[3])) + ((t[4] + t[5]) + (t[6] + t[7]));
  for (std::size_t i = 8; i < terms.size(); ++i) squares += terms[i];
  sample.x.push_back(mean);
  sample.y.push_back(std::sqrt(squares / ratings));
}

/// The sample of a case; empty where this test has no way to make it.
Sample sample_of(const json& test) {
  Sample sample;
  if (test.contains("x")) {
    sample.x = test["x"].get<Values>();
    sample.y = test["y"].get<Values>();
  } else if (test["name"] == "lcg_10000") {
    Lcg lcg(8);
    for (int i = 0; i < 10000; ++i) {
      const double t = lcg.uniform();
      const double e = lcg.normal();
      sample.x.push_back(t + 0.1 * e);
      sample.y.push_back(std::floor((1 + 4 * t) * 100) / 100);
    }
  } else if (test["name"] == "lcg_1000000") {
    Lcg lcg(9);
    for (int i = 0; i < 1000000; ++i) {
      const double a = lcg.uniform();
      const double b = lcg.uniform();
      const double c = lcg.uniform();
      sample.x.push_back(std::floor(a * 1000) / 1000);
      sample.y.push_back(std::floor((0.7 * a + 0.2 * b + 0.1 * c) * 5000) / 50);
    }
  } else if (test["file"]["path"] == "labels/koniq10k/koniq10k_distributions_sets.csv") {
    const auto where = test["file"].value("where", "");
    for (auto& row :
         read_csv(test::shared_data() / "data" / "labels/koniq10k/koniq10k_distributions_sets.csv")) {
      if (!where.empty() && where != "set == " + row["set"]) continue;
      sample.x.push_back(std::stod(row["MOS"]));
      sample.y.push_back(std::stod(row["SD"]));
    }
  } else if (test["file"]["path"] == "labels/iqa-dataset/AADB.txt") {
    for (auto& row : read_csv(test::shared_data() / "data" / "labels/iqa-dataset/AADB.txt")) {
      sample.x.push_back(std::stod(row[test["file"]["x"].get<std::string>()]));
      sample.y.push_back(std::stod(row[test["file"]["y"].get<std::string>()]));
    }
  } else if (test["file"]["path"] == "labels/idealo/AVA/ava_labels_test.json") {
    for (const auto& row : read_json(test::shared_data() / "data" / "labels/idealo/AVA/ava_labels_test.json"))
      add_mean_and_deviation(row["label"].get<Values>(), sample);
  }
  return sample;
}

void expect_value(const json& expected, double value, double tolerance, const std::string& what) {
  if (expected.is_null()) {
    EXPECT_TRUE(std::isnan(value)) << what << " is " << value;
  } else {
    EXPECT_NEAR(value, expected.get<double>(), tolerance) << what;
  }
}

void expect_interval(const json& expected, const std::optional<Interval>& interval, const std::string& what) {
  if (expected.is_null()) {
    EXPECT_FALSE(interval) << what;
    return;
  }
  ASSERT_TRUE(interval) << what;
  EXPECT_NEAR(interval->low, expected[0].get<double>(), 1e-9) << what;
  EXPECT_NEAR(interval->high, expected[1].get<double>(), 1e-9) << what;
}

void expect_fit(const json& expected, LogisticKind kind, const Sample& sample, const std::string& what) {
  const auto fit = fit_logistic(kind, sample.x, sample.y);
  if (expected.is_null()) {
    EXPECT_FALSE(fit.undefined.empty()) << what;
    return;
  }
  EXPECT_TRUE(fit.undefined.empty()) << what << ": " << fit.undefined;
  const auto& start = expected["from_start"];
  if (!expected["assert_plcc_to"].is_null()) {
    EXPECT_NEAR(fit.plcc, start["plcc"].get<double>(), expected["assert_plcc_to"].get<double>()) << what;
  }
  if (!expected.value("assert_rmse_to_relative", json()).is_null()) {
    const double rmse = start["rmse"];
    EXPECT_NEAR(fit.rmse, rmse, rmse * expected["assert_rmse_to_relative"].get<double>()) << what;
  }
}

TEST(EvaluationGolden, EveryCaseOfCorrelationAndFit) {
  QUASAR_REQUIRE_DATA(golden("correlation.json"));
  int tested = 0;
  const auto document = read_json(golden("correlation.json"));
  for (const auto& test : document["cases"]) {
    const auto sample = sample_of(test);
    if (sample.x.empty()) continue;
    ++tested;
    const std::string name = test["name"];
    ASSERT_EQ(sample.x.size(), test["n"].get<std::size_t>()) << name;
    EXPECT_EQ(sample.x.back(), test["check"]["last"][0].get<double>()) << name;
    const auto& expected = test["expected"];
    const double srcc = spearman(sample.x, sample.y);
    const double krcc = kendall(sample.x, sample.y);
    const double plcc = pearson(sample.x, sample.y);
    expect_value(expected["srcc"], srcc, 1e-12, name + " srcc");
    expect_value(expected["krcc"], krcc, 1e-12, name + " krcc");
    const bool exact = expected.contains("plcc_exact");
    expect_value(expected[exact ? "plcc_exact" : "plcc"], plcc, exact ? 1e-15 : 1e-12, name + " plcc");
    const auto& intervals = expected["intervals95"];
    if (intervals.is_object()) {
      const auto n = sample.x.size();
      if (intervals.contains("plcc_fisher"))
        expect_interval(intervals["plcc_fisher"], fisher_interval(plcc, n), name + " plcc_fisher");
      if (intervals.contains("srcc_bonett_wright"))
        expect_interval(intervals["srcc_bonett_wright"], bonett_wright_interval(srcc, n), name + " srcc");
      if (intervals.contains("krcc_fieller"))
        expect_interval(intervals["krcc_fieller"], fieller_kendall_interval(krcc, n), name + " krcc");
    }
    expect_fit(expected["logistic4"], LogisticKind::kFour, sample, name + " logistic4");
    expect_fit(expected["logistic5"], LogisticKind::kFive, sample, name + " logistic5");
  }
  EXPECT_GE(tested, 24);
}

TEST(EvaluationGolden, BootstrapAgreesWithinWhatTwoRunsDifferBy) {
  QUASAR_REQUIRE_DATA(golden("correlation.json"));
  const auto document = read_json(golden("correlation.json"));
  int tested = 0;
  for (const auto& expected : document["bootstrap"]) {
    for (const auto& test : document["cases"]) {
      if (test["name"] != expected["case"]) continue;
      const auto sample = sample_of(test);
      if (sample.x.empty() || sample.x.size() > 1000) continue;
      const auto found = bootstrap(sample.x, sample.y, 20000, 1);
      ASSERT_TRUE(found);
      const auto check = [&](const char* measure, const Interval& interval, double error) {
        const auto& wanted = expected[measure];
        const double wanted_error = wanted["standard_error"];
        EXPECT_NEAR(error, wanted_error, 0.05 * wanted_error) << expected["case"] << " " << measure;
        EXPECT_NEAR(interval.low, wanted["percentile95"][0].get<double>(), 0.25 * wanted_error) << measure;
        EXPECT_NEAR(interval.high, wanted["percentile95"][1].get<double>(), 0.25 * wanted_error) << measure;
      };
      check("srcc", found->srcc, found->srcc_error);
      check("plcc", found->plcc, found->plcc_error);
      ++tested;
    }
  }
  EXPECT_GE(tested, 2);
}

TEST(EvaluationGolden, TestsOfTwoScorers) {
  QUASAR_REQUIRE_DATA(golden("significance.json"));
  const auto document = read_json(golden("significance.json"));
  const auto y = document["y"].get<Values>();
  const auto a = document["metric1"].get<Values>();
  const auto b = document["metric2"].get<Values>();
  const auto check = [&](const json& expected, double r1, double r2, double between) {
    EXPECT_NEAR(r1, expected["metric1_labels"].get<double>(), 1e-12);
    const auto t = williams(r1, r2, between, y.size());
    ASSERT_TRUE(t);
    EXPECT_NEAR(t->statistic, expected["williams_t"]["t"].get<double>(), 1e-9);
    EXPECT_NEAR(t->p, expected["williams_t"]["p_two_sided"].get<double>(), 1e-9);
    const auto m = meng(r1, r2, between, y.size());
    ASSERT_TRUE(m);
    EXPECT_NEAR(m->statistic, expected["meng_rosenthal_rubin_z"]["z"].get<double>(), 1e-9);
    EXPECT_NEAR(m->p, expected["meng_rosenthal_rubin_z"]["p_two_sided"].get<double>(), 1e-9);
    const auto s = steiger(r1, r2, between, y.size());
    ASSERT_TRUE(s);
    EXPECT_NEAR(s->statistic, expected["steiger_z"]["z"].get<double>(), 1e-9);
    EXPECT_NEAR(s->p, expected["steiger_z"]["p_two_sided"].get<double>(), 1e-9);
  };
  const auto& expected = document["expected"];
  check(expected["plcc"], pearson(a, y), pearson(b, y), pearson(a, b));
  check(expected["srcc"], spearman(a, y), spearman(b, y), spearman(a, b));
  const auto residuals = [&](const Values& x) {
    auto fit = fit_logistic(LogisticKind::kFour, x, y).fitted;
    for (std::size_t i = 0; i < fit.size(); ++i) fit[i] -= y[i];
    return fit;
  };
  const auto f = residual_f_test(residuals(a), residuals(b));
  ASSERT_TRUE(f);
  EXPECT_NEAR(f->statistic, expected["residuals_f_test"]["F"].get<double>(), 1e-6);
  EXPECT_NEAR(f->p, expected["residuals_f_test"]["p_one_sided"].get<double>(), 1e-6);
}

TEST(EvaluationGolden, PairsOfPictures) {
  QUASAR_REQUIRE_DATA(golden("significance.json"));
  const auto document = read_json(golden("significance.json"))["krasula"];
  const auto mos = document["mos"].get<Values>();
  auto errors = document["sd"].get<Values>();
  const auto observers = document["observers"].get<Values>();
  for (std::size_t i = 0; i < errors.size(); ++i) errors[i] /= std::sqrt(observers[i]);
  const auto found =
      compare_pairs(document["metric1"].get<Values>(), document["metric2"].get<Values>(), mos, errors);
  const auto& expected = document["expected"];
  EXPECT_EQ(found.first.different, expected["different"]);
  EXPECT_EQ(found.first.similar, expected["similar"]);
  const PairAnalysis* both[] = {&found.first, &found.second};
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(both[i]->auc_different, expected["auc_ds"][i].get<double>(), 1e-12);
    EXPECT_NEAR(both[i]->auc_better, expected["auc_bw"][i].get<double>(), 1e-12);
    EXPECT_NEAR(both[i]->correct, expected["cc0"][i].get<double>(), 1e-12);
  }
  ASSERT_TRUE(found.different && found.better);
  const double p_different = expected["p_ds_delong"];
  const double p_better = expected["p_bw_delong"];
  EXPECT_NEAR(found.different->p, p_different, 1e-6 * p_different);
  EXPECT_NEAR(found.better->p, p_better, 1e-6 * p_better);
}

}  // namespace
}  // namespace quasar::evaluation
