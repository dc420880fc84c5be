#include "evaluation/evaluation_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/csv_cell.h"

namespace quasar::evaluation {
namespace {

using nlohmann::ordered_json;  // Prints what is not finite as null.

ordered_json interval_json(const std::optional<Interval>& interval) {
  return interval ? ordered_json::array({interval->low, interval->high}) : ordered_json(nullptr);
}

ordered_json test_json(const std::optional<TestResult>& test) {
  if (!test) return nullptr;
  return {{"statistic", test->statistic}, {"p", test->p}};
}

double fit_value(const LogisticFit& fit, double value) {
  return fit.undefined.empty() ? value : std::nan("");
}

ordered_json measures_json(const Measures& measures) {
  auto json = ordered_json::object();
  json["n"] = measures.n;
  json["srcc"] = measures.srcc;
  json["krcc"] = measures.krcc;
  json["plcc"] = measures.plcc;
  json["plcc_logistic4"] = fit_value(measures.logistic4, measures.logistic4.plcc);
  json["plcc_logistic5"] = fit_value(measures.logistic5, measures.logistic5.plcc);
  json["rmse"] = measures.rmse;
  json["rmse_logistic4"] = fit_value(measures.logistic4, measures.logistic4.rmse);
  json["rmse_logistic5"] = fit_value(measures.logistic5, measures.logistic5.rmse);
  json["outlier_ratio"] = measures.outlier_ratio;
  json["intervals95"] = {{"srcc", interval_json(measures.srcc_interval)},
                         {"krcc", interval_json(measures.krcc_interval)},
                         {"plcc", interval_json(measures.plcc_interval)}};
  if (measures.resampled) {
    const auto& drawn = *measures.resampled;
    json["bootstrap"] = {
        {"resamples", drawn.resamples},
        {"srcc", {{"interval95", interval_json(drawn.srcc)}, {"standard_error", drawn.srcc_error}}},
        {"plcc", {{"interval95", interval_json(drawn.plcc)}, {"standard_error", drawn.plcc_error}}}};
  } else {
    json["bootstrap"] = nullptr;
  }
  json["logistic4"] = measures.logistic4.parameters;
  json["logistic5"] = measures.logistic5.parameters;
  json["undefined"] = measures.undefined;
  return json;
}

ordered_json scorer_json(const ScorerEvaluation& scorer) {
  auto json = measures_json(scorer.all);
  if (scorer.groups.empty()) return json;
  auto& groups = json["groups"] = ordered_json::object();
  for (const auto& [name, measures] : scorer.groups) groups[name] = measures_json(measures);
  json["mean_over_groups"] = {{"groups", scorer.groups_used},
                              {"srcc", scorer.group_srcc},
                              {"krcc", scorer.group_krcc},
                              {"plcc", scorer.group_plcc}};
  return json;
}

ordered_json analysis_json(const PairAnalysis& analysis) {
  return {{"auc_different", analysis.auc_different},
          {"auc_better", analysis.auc_better},
          {"correct", analysis.correct}};
}

ordered_json comparison_json(const ScorerComparison& comparison) {
  ordered_json json = {{"first", comparison.first},
                       {"second", comparison.second},
                       {"srcc",
                        {{"between", comparison.srcc_between},
                         {"williams", test_json(comparison.srcc_williams)},
                         {"meng", test_json(comparison.srcc_meng)},
                         {"steiger", test_json(comparison.srcc_steiger)}}},
                       {"plcc",
                        {{"between", comparison.plcc_between},
                         {"williams", test_json(comparison.plcc_williams)},
                         {"meng", test_json(comparison.plcc_meng)},
                         {"steiger", test_json(comparison.plcc_steiger)}}},
                       {"residuals_f", test_json(comparison.residuals)}};
  json["pairs"] = nullptr;
  if (comparison.pairs) {
    const auto& pairs = *comparison.pairs;
    json["pairs"] = {{"different", pairs.first.different},
                     {"similar", pairs.first.similar},
                     {"first", analysis_json(pairs.first)},
                     {"second", analysis_json(pairs.second)},
                     {"delong_different", test_json(pairs.different)},
                     {"delong_better", test_json(pairs.better)}};
  }
  json["undefined"] = comparison.undefined;
  return json;
}

std::string shown(double value) {
  return std::isfinite(value) ? fmt::format("{:.4f}", value) : "-";
}

std::string shown(const std::optional<Interval>& interval) {
  return interval ? fmt::format("{:.4f} .. {:.4f}", interval->low, interval->high) : "-";
}

std::string shown_p(const std::optional<TestResult>& test) {
  return test ? fmt::format("{:.3g}", test->p) : "-";
}

void append_interval(const std::optional<Interval>& interval, std::string& line) {
  line += "," + (interval ? base::csv_number(interval->low) : "");
  line += "," + (interval ? base::csv_number(interval->high) : "");
}

/// "2 label is no number; 1 picture is missing" as one cell.
std::string counts_cell(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [what, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : "; ", count, what);
  return base::csv_text(text);
}

std::string csv_line(const std::string& scorer, const std::string& group, const Measures& m) {
  const double values[] = {m.srcc,
                           m.krcc,
                           m.plcc,
                           fit_value(m.logistic4, m.logistic4.plcc),
                           fit_value(m.logistic5, m.logistic5.plcc),
                           m.rmse,
                           fit_value(m.logistic4, m.logistic4.rmse),
                           fit_value(m.logistic5, m.logistic5.rmse),
                           m.outlier_ratio};
  std::string line = base::csv_text(scorer) + "," + base::csv_text(group) + "," + std::to_string(m.n);
  for (const double value : values) line += "," + base::csv_number(value);
  for (const auto* interval : {&m.srcc_interval, &m.krcc_interval, &m.plcc_interval})
    append_interval(*interval, line);
  using Drawn = std::optional<Interval>;
  append_interval(m.resampled ? Drawn(m.resampled->srcc) : Drawn(), line);
  append_interval(m.resampled ? Drawn(m.resampled->plcc) : Drawn(), line);
  std::string undefined;
  for (const auto& [measure, why] : m.undefined)
    undefined += fmt::format("{}{}: {}", undefined.empty() ? "" : "; ", measure, why);
  return line + "," + base::csv_text(undefined);
}

}  // namespace

std::string evaluation_json(const Evaluation& evaluation) {
  auto json = ordered_json::object();
  json["schema_version"] = 1;
  json["rows"] = evaluation.rows;
  json["left_out"] = evaluation.left_out;
  json["noted"] = evaluation.noted;
  json["remarks"] = evaluation.remarks;
  json["scorer"] = evaluation.scorers.front().name;
  json.update(scorer_json(evaluation.scorers.front()));
  auto& scorers = json["scorers"] = ordered_json::object();
  for (const auto& scorer : evaluation.scorers) scorers[scorer.name] = scorer_json(scorer);
  auto& comparisons = json["comparisons"] = ordered_json::array();
  for (const auto& comparison : evaluation.comparisons) comparisons.push_back(comparison_json(comparison));
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string evaluation_text(const Evaluation& evaluation) {
  std::string text =
      fmt::format("{} rows, {} evaluated\n", evaluation.rows, evaluation.scorers.front().all.n);
  for (const auto& remark : evaluation.remarks) text += "  " + remark + "\n";
  for (const auto& [why, count] : evaluation.left_out) text += fmt::format("  left out: {} {}\n", count, why);
  for (const auto& [what, count] : evaluation.noted) text += fmt::format("  noted: {} {}\n", count, what);
  std::size_t width = 6;
  for (const auto& scorer : evaluation.scorers) width = std::max(width, scorer.name.size());
  text += fmt::format("\n{:{}}  {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}  {}\n", "scorer", width, "SRCC", "KRCC",
                      "PLCC", "PLCC log4", "PLCC log5", "RMSE log4", "SRCC 95%");
  for (const auto& scorer : evaluation.scorers) {
    const auto& m = scorer.all;
    text += fmt::format("{:{}}  {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}  {}\n", scorer.name, width, shown(m.srcc),
                        shown(m.krcc), shown(m.plcc), shown(fit_value(m.logistic4, m.logistic4.plcc)),
                        shown(fit_value(m.logistic5, m.logistic5.plcc)),
                        shown(fit_value(m.logistic4, m.logistic4.rmse)), shown(m.srcc_interval));
    if (m.srcc_interval || m.resampled) {
      text += fmt::format("{:{}}  95%: KRCC {}, PLCC {}", "", width, shown(m.krcc_interval),
                          shown(m.plcc_interval));
      if (m.resampled) {
        text += fmt::format("; by {} resamples: SRCC {}, PLCC {}", m.resampled->resamples,
                            shown(std::optional(m.resampled->srcc)), shown(std::optional(m.resampled->plcc)));
      }
      text += "\n";
    }
    for (const auto& [measure, why] : m.undefined)
      text += fmt::format("  {} is undefined: {}\n", measure, why);
  }
  for (const auto& scorer : evaluation.scorers) {
    if (scorer.groups.empty()) continue;
    text += fmt::format("\n{} by group (mean of {}: SRCC {}, KRCC {}, PLCC {})\n", scorer.name,
                        scorer.groups_used, shown(scorer.group_srcc), shown(scorer.group_krcc),
                        shown(scorer.group_plcc));
    for (const auto& [name, m] : scorer.groups) {
      text += fmt::format("  {:24} {:>7} rows  SRCC {:>8}  KRCC {:>8}  PLCC {:>8}\n", name, m.n,
                          shown(m.srcc), shown(m.krcc), shown(m.plcc));
    }
  }
  for (const auto& c : evaluation.comparisons) {
    text += fmt::format(
        "\n{} against {}: p of equal SRCC {} (Williams), {} (Meng), {} (Steiger); of equal PLCC {}; of equal "
        "residuals {} (F)\n",
        c.first, c.second, shown_p(c.srcc_williams), shown_p(c.srcc_meng), shown_p(c.srcc_steiger),
        shown_p(c.plcc_williams), shown_p(c.residuals));
    if (c.pairs) {
      text += fmt::format(
          "  pairs: {} different, {} similar; AUC different {} / {} (p {}), better {} / {} (p {})\n",
          c.pairs->first.different, c.pairs->first.similar, shown(c.pairs->first.auc_different),
          shown(c.pairs->second.auc_different), shown_p(c.pairs->different), shown(c.pairs->first.auc_better),
          shown(c.pairs->second.auc_better), shown_p(c.pairs->better));
    }
    for (const auto& [test, why] : c.undefined) text += fmt::format("  {} is undefined: {}\n", test, why);
  }
  return text;
}

std::string evaluation_csv(const Evaluation& evaluation) {
  std::string text =
      "scorer,group,n,srcc,krcc,plcc,plcc_logistic4,plcc_logistic5,rmse,rmse_logistic4,rmse_logistic5,"
      "outlier_ratio,srcc_low,srcc_high,krcc_low,krcc_high,plcc_low,plcc_high,bootstrap_srcc_low,"
      "bootstrap_srcc_high,bootstrap_plcc_low,bootstrap_plcc_high,undefined,rows,left_out,noted\n";
  for (const auto& scorer : evaluation.scorers) {
    text += fmt::format("{},{},{},{}\n", csv_line(scorer.name, "", scorer.all), evaluation.rows,
                        counts_cell(evaluation.left_out), counts_cell(evaluation.noted));
    for (const auto& [name, measures] : scorer.groups)
      text += csv_line(scorer.name, name, measures) + ",,,\n";
  }
  return text;
}

}  // namespace quasar::evaluation
