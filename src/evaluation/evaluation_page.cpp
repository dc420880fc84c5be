#include "evaluation/evaluation_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "plot/figure.h"

namespace quasar::evaluation {
namespace {

using plot::short_number;

const LogisticFit* fit_of(const Measures& measures) {
  if (measures.logistic4.undefined.empty()) return &measures.logistic4;
  return measures.logistic5.undefined.empty() ? &measures.logistic5 : nullptr;
}

std::string fitted(const LogisticFit& fit, double value) {
  return fit.undefined.empty() ? short_number(value) : "-";
}

std::string interval_cell(const std::optional<Interval>& interval) {
  return interval ? fmt::format("{} to {}", short_number(interval->low), short_number(interval->high)) : "-";
}

plot::Table measures_table(const Evaluation& evaluation) {
  using plot::ColumnKind;
  plot::Table table;
  table.columns = {{"scorer", ColumnKind::kLong}};
  for (const char* heading : {"pictures", "SRCC", "95%", "KRCC", "PLCC", "PLCC, 4 parameters",
                              "PLCC, 5 parameters", "RMSE, 4 parameters", "outlier ratio"})
    table.columns.push_back({heading, ColumnKind::kNumber});
  for (const auto& scorer : evaluation.scorers) {
    const auto& m = scorer.all;
    table.rows.push_back({scorer.name, std::to_string(m.n), short_number(m.srcc),
                          interval_cell(m.srcc_interval), short_number(m.krcc), short_number(m.plcc),
                          fitted(m.logistic4, m.logistic4.plcc), fitted(m.logistic5, m.logistic5.plcc),
                          fitted(m.logistic4, m.logistic4.rmse), short_number(m.outlier_ratio)});
  }
  return table;
}

/// Both kinds of intervals; nothing where no scorer has one.
void add_intervals(plot::Page& page, const Evaluation& evaluation) {
  plot::Table table;
  table.columns = {{"scorer", plot::ColumnKind::kLong}};
  for (const char* heading : {"SRCC, by formula", "KRCC, by formula", "PLCC, by formula", "resamples",
                              "SRCC, resampled", "PLCC, resampled"})
    table.columns.push_back({heading, plot::ColumnKind::kNumber});
  for (const auto& scorer : evaluation.scorers) {
    const auto& m = scorer.all;
    if (!m.srcc_interval && !m.krcc_interval && !m.plcc_interval && !m.resampled) continue;
    table.rows.push_back({scorer.name, interval_cell(m.srcc_interval), interval_cell(m.krcc_interval),
                          interval_cell(m.plcc_interval),
                          m.resampled ? std::to_string(m.resampled->resamples) : "-",
                          m.resampled ? interval_cell(m.resampled->srcc) : "-",
                          m.resampled ? interval_cell(m.resampled->plcc) : "-"});
  }
  if (table.rows.empty()) return;
  page.heading(2, "95% intervals");
  page.table(table);
}

std::vector<double> labels_of(const RatedPictures& pictures, const Evaluation& evaluation) {
  std::vector<double> labels;
  for (const std::size_t row : evaluation.evaluated) labels.push_back(pictures.labels[row]);
  return labels;
}

std::vector<double> scores_of(const RatedPictures& pictures, const Evaluation& evaluation,
                              std::size_t scorer) {
  std::vector<double> scores;
  for (const std::size_t row : evaluation.evaluated) scores.push_back(pictures.scores[scorer][row]);
  return scores;
}

/// The fit as a curve: its values in ascending order of the scores, thinned to what can be seen.
plot::Curve curve_of(const std::string& name, const std::vector<double>& scores, const LogisticFit& fit) {
  constexpr std::size_t kPoints = 200;
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  plot::Curve curve{name, {}, {}, {}, {}, false};
  const std::size_t step = std::max<std::size_t>(1, order.size() / kPoints);
  for (std::size_t i = 0; i < order.size(); i += step) {
    // The last one belongs to the curve, too.
    const std::size_t at = order[i + step < order.size() ? i : order.size() - 1];
    curve.x.push_back(scores[at]);
    curve.y.push_back(fit.fitted[at]);
  }
  return curve;
}

std::string scatter(const ScorerEvaluation& scorer, const std::vector<double>& scores,
                    const std::vector<double>& labels) {
  plot::Chart chart;
  chart.title = scorer.name + ": ratings by score";
  chart.description = fmt::format("{} pictures, SRCC {}. Curves are the logistic fits.", scorer.all.n,
                                  short_number(scorer.all.srcc));
  chart.x.label = "score";
  chart.y.label = "rating";
  chart.points.push_back({"pictures", scores, labels});
  for (const auto& [name, fit] :
       {std::pair("4 parameters", &scorer.all.logistic4), {"5 parameters", &scorer.all.logistic5}}) {
    if (fit->undefined.empty()) chart.curves.push_back(curve_of(name, scores, *fit));
  }
  return plot::chart_svg(chart);
}

std::string residuals(const ScorerEvaluation& scorer, const std::vector<double>& labels) {
  const auto& fit = *fit_of(scorer.all);
  plot::Chart chart;
  chart.title = scorer.name + ": residuals";
  chart.description = "Rating minus what the fitted curve gives, by that.";
  chart.x.label = "rating by the fit";
  chart.y.label = "residual";
  chart.baseline = 0;
  plot::Points points{"pictures", fit.fitted, {}};
  for (std::size_t i = 0; i < labels.size(); ++i) points.y.push_back(labels[i] - fit.fitted[i]);
  chart.points.push_back(std::move(points));
  return plot::chart_svg(chart);
}

/// Bars of SRCC by group; a table beyond what bars can show.
void add_groups(plot::Page& page, const Evaluation& evaluation) {
  constexpr std::size_t kMostBars = 30;
  const auto& first = evaluation.scorers.front().groups;
  if (first.empty()) return;
  page.heading(2, "By group");
  if (first.size() <= kMostBars) {
    plot::Bars bars;
    bars.title = "SRCC by group";
    bars.description = "A bar for each scorer, with its 95% interval.";
    bars.y.label = "SRCC";
    for (const auto& [name, measures] : first) bars.categories.push_back(name.empty() ? "(none)" : name);
    for (const auto& scorer : evaluation.scorers) {
      plot::BarSeries series{scorer.name, {}, {}, {}};
      for (const auto& [name, m] : scorer.groups) {
        series.values.push_back(m.srcc);
        series.low.push_back(m.srcc_interval ? m.srcc_interval->low : std::nan(""));
        series.high.push_back(m.srcc_interval ? m.srcc_interval->high : std::nan(""));
      }
      bars.series.push_back(std::move(series));
    }
    page.figure(plot::bars_svg(bars));
  }
  plot::Table table;
  table.columns = {{"scorer", plot::ColumnKind::kLong}, {"group", plot::ColumnKind::kLong}};
  for (const char* heading : {"pictures", "SRCC", "KRCC", "PLCC"})
    table.columns.push_back({heading, plot::ColumnKind::kNumber});
  for (const auto& scorer : evaluation.scorers) {
    for (const auto& [name, m] : scorer.groups)
      table.rows.push_back({scorer.name, name.empty() ? "(none)" : name, std::to_string(m.n),
                            short_number(m.srcc), short_number(m.krcc), short_number(m.plcc)});
    table.rows.push_back({scorer.name, fmt::format("mean of {}", scorer.groups_used), "",
                          short_number(scorer.group_srcc), short_number(scorer.group_krcc),
                          short_number(scorer.group_plcc)});
  }
  page.table(table);
}

void add_comparisons(plot::Page& page, const Evaluation& evaluation) {
  if (evaluation.comparisons.empty()) return;
  const auto p_of = [](const std::optional<TestResult>& test) { return test ? short_number(test->p) : "-"; };
  page.heading(2, "Scorers against each other");
  page.paragraph(
      "Probabilities of differences as large between scorers that are equally good, on the same pictures.");
  plot::Table table;
  table.columns = {{"first", plot::ColumnKind::kLong}, {"second", plot::ColumnKind::kLong}};
  for (const char* heading : {"SRCC between", "Williams, SRCC", "Meng", "Steiger", "Williams, PLCC",
                              "F, residuals", "DeLong, different", "DeLong, better"})
    table.columns.push_back({heading, plot::ColumnKind::kNumber});
  for (const auto& c : evaluation.comparisons) {
    table.rows.push_back({c.first, c.second, short_number(c.srcc_between), p_of(c.srcc_williams),
                          p_of(c.srcc_meng), p_of(c.srcc_steiger), p_of(c.plcc_williams), p_of(c.residuals),
                          c.pairs ? p_of(c.pairs->different) : "-", c.pairs ? p_of(c.pairs->better) : "-"});
  }
  page.table(table);
}

}  // namespace

std::vector<Disagreement> worst_disagreements(const RatedPictures& pictures, const Evaluation& evaluation,
                                              std::size_t scorer, std::size_t most) {
  const auto* fit = fit_of(evaluation.scorers[scorer].all);
  if (fit == nullptr) return {};
  std::vector<Disagreement> found;
  for (std::size_t i = 0; i < evaluation.evaluated.size(); ++i) {
    const std::size_t row = evaluation.evaluated[i];
    found.push_back({row, pictures.scores[scorer][row], pictures.labels[row], fit->fitted[i]});
  }
  const auto worse = [](const Disagreement& a, const Disagreement& b) {
    const double left = std::abs(a.label - a.expected);
    const double right = std::abs(b.label - b.expected);
    return left != right ? left > right : a.row < b.row;
  };
  most = std::min(most, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(most), found.end(), worse);
  found.resize(most);
  return found;
}

std::string evaluation_page(const RatedPictures& pictures, const Evaluation& evaluation,
                            const std::vector<std::vector<plot::Thumbnail>>& disagreements) {
  plot::Page page("Quasar: evaluation", "Agreement with ratings");
  page.paragraph(fmt::format("{} of {} rows have a rating and every score.", evaluation.evaluated.size(),
                             evaluation.rows));
  for (const auto& remark : evaluation.remarks) page.paragraph(remark);
  page.table(measures_table(evaluation));
  for (const auto& scorer : evaluation.scorers) {
    for (const auto& [measure, why] : scorer.all.undefined)
      page.paragraph(fmt::format("{}: {} is undefined: {}", scorer.name, measure, why));
  }
  add_intervals(page, evaluation);
  if (!evaluation.left_out.empty()) {
    page.heading(2, "Left out");
    page.counts({evaluation.left_out.begin(), evaluation.left_out.end()});
  }
  if (!evaluation.noted.empty()) {
    page.heading(2, "Noted");
    page.counts({evaluation.noted.begin(), evaluation.noted.end()});
  }
  const auto labels = labels_of(pictures, evaluation);
  for (std::size_t s = 0; s < evaluation.scorers.size(); ++s) {
    const auto& scorer = evaluation.scorers[s];
    page.heading(2, scorer.name);
    std::vector<std::string> figures{scatter(scorer, scores_of(pictures, evaluation, s), labels)};
    if (fit_of(scorer.all) != nullptr) figures.push_back(residuals(scorer, labels));
    page.figures(figures);
    if (s >= disagreements.size() || disagreements[s].empty()) continue;
    page.heading(3, "Worst disagreements");
    page.thumbnails(disagreements[s]);
  }
  add_groups(page, evaluation);
  add_comparisons(page, evaluation);
  return std::move(page).finish();
}

}  // namespace quasar::evaluation
