#include "evaluation/agreement_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/csv_cell.h"

namespace quasar::evaluation {
namespace {

using nlohmann::ordered_json;  // Prints what is not finite as null.

constexpr const char* kConstant = "all scores of a kind are equal";

/// A set of kinds whose mean is told.
struct KindGroup {
  std::string name;
  std::vector<int> kinds;
};

bool is_unseen(const AgreementReport& report, int kind) {
  return std::find(report.unseen.begin(), report.unseen.end(), kind) != report.unseen.end();
}

/// Seen and unseen kinds; all as one where none is unseen.
std::vector<KindGroup> groups_of(const AgreementReport& report) {
  std::vector<KindGroup> groups = {{report.unseen.empty() ? "" : "seen", {}}};
  if (!report.unseen.empty()) groups.push_back({"unseen", {}});
  for (int kind = 1; kind <= kDistortionKinds; ++kind)
    groups[is_unseen(report, kind) ? 1 : 0].kinds.push_back(kind);
  // Every kind may be unseen.
  std::erase_if(groups, [](const KindGroup& group) { return group.kinds.empty(); });
  return groups;
}

KindGroup all_kinds() {
  KindGroup all{"all", {}};
  for (int kind = 1; kind <= kDistortionKinds; ++kind) all.kinds.push_back(kind);
  return all;
}

/// "21 kinds seen".
std::string title_of(const KindGroup& group) {
  return fmt::format("{} kinds{}{}", group.kinds.size(), group.name.empty() ? "" : " ", group.name);
}

ordered_json pair_json(double over_photos, double within_photo) {
  return {{"srcc_over_photos", over_photos}, {"srcc_within_photo", within_photo}};
}

ordered_json mean_json(const DistortionAgreement& agreement, const KindGroup& group) {
  auto json = pair_json(agreement.mean_within_kind(group.kinds), agreement.mean_within_photo(group.kinds));
  json["kinds"] = group.kinds.size();
  return json;
}

ordered_json scorer_json(const AgreementReport& report, const ScorerAgreement& scorer) {
  const auto& agreement = scorer.agreement;
  ordered_json json = {{"what", scorer.what},
                       {"cell_srcc", agreement.cell_srcc},
                       {"pairs_pristine_above", agreement.pairs_pristine_above},
                       {"mean_over_all", mean_json(agreement, all_kinds())}};
  for (const auto& group : groups_of(report)) {
    if (!group.name.empty()) json["mean_over_" + group.name] = mean_json(agreement, group);
  }
  auto& kinds = json["kinds"] = ordered_json::object();
  auto& undefined = json["undefined"] = ordered_json::object();
  for (int kind = 1; kind <= kDistortionKinds; ++kind) {
    const auto at = static_cast<std::size_t>(kind);
    const auto& name = report.kinds[at - 1];
    kinds[name] = pair_json(agreement.within_kind[at], agreement.within_photo[at]);
    if (!std::isfinite(agreement.within_kind[at])) undefined[name] = kConstant;
  }
  if (!std::isfinite(agreement.cell_srcc)) undefined["cell_srcc"] = "the means of all cells are equal";
  if (!std::isfinite(agreement.pairs_pristine_above))
    undefined["pairs_pristine_above"] = "no copy differs from its photo";
  return json;
}

/// "0.812", right-aligned; "-" where undefined.
std::string shown(double value, int width) {
  return std::isfinite(value) ? fmt::format("{:{}.3f}", value, width) : fmt::format("{:>{}}", "-", width);
}

std::string kinds_text(const AgreementReport& report) {
  const auto& agreement = report.scorers.front().agreement;
  std::string text =
      "SRCC of score and human score within a kind: over all photos, and within each photo (mean)\n";
  bool undefined = false;
  for (int kind = 1; kind <= kDistortionKinds; ++kind) {
    const auto at = static_cast<std::size_t>(kind);
    undefined |= !std::isfinite(agreement.within_kind[at]);
    text += fmt::format("  {:24} {} {}{}\n", report.kinds[at - 1], shown(agreement.within_kind[at], 6),
                        shown(agreement.within_photo[at], 6), is_unseen(report, kind) ? "  unseen" : "");
  }
  if (undefined) text += fmt::format("  undefined where - stands: {}\n", kConstant);
  for (const auto& group : groups_of(report)) {
    text += fmt::format("{:26} {} {}\n", "mean over " + title_of(group),
                        shown(agreement.mean_within_kind(group.kinds), 6),
                        shown(agreement.mean_within_photo(group.kinds), 6));
  }
  text += fmt::format("cell SRCC, 125 cells       {}\n", shown(agreement.cell_srcc, 6));
  text += fmt::format("pristine above its copy    {} of all pairs with a copy that differs\n",
                      shown(agreement.pairs_pristine_above, 6));
  return text;
}

/// Every scorer in a line: the means over kinds, over all photos and within each.
std::string scorers_text(const AgreementReport& report) {
  constexpr int kColumn = 9;
  const auto groups = groups_of(report);
  std::size_t width = std::string_view("scorer").size();
  for (const auto& scorer : report.scorers) width = std::max(width, scorer.scorer.size());
  std::string text = fmt::format("\n{:{}}", "", width);
  for (const auto& group : groups) {
    text += fmt::format("{:>{}}", title_of(group), 2 * kColumn);
  }
  text += fmt::format("\n{:{}}", "scorer", width);
  for (std::size_t i = 0; i < groups.size(); ++i)
    text += fmt::format("{:>{}}{:>{}}", "photos", kColumn, "a photo", kColumn);
  text += fmt::format("{:>{}}{:>{}}\n", "cells", kColumn, "pairs", kColumn);
  for (const auto& scorer : report.scorers) {
    text += fmt::format("{:{}}", scorer.scorer, width);
    for (const auto& group : groups) {
      text += shown(scorer.agreement.mean_within_kind(group.kinds), kColumn);
      text += shown(scorer.agreement.mean_within_photo(group.kinds), kColumn);
    }
    text += shown(scorer.agreement.cell_srcc, kColumn);
    text += shown(scorer.agreement.pairs_pristine_above, kColumn) + "\n";
  }
  for (const auto& scorer : report.scorers) text += fmt::format("{}: {}\n", scorer.scorer, scorer.what);
  return text;
}

}  // namespace

std::string agreement_json(const AgreementReport& report) {
  auto json = ordered_json::object();
  json["schema_version"] = 1;
  json["photos"] = report.photos;
  json["copies"] = report.copies;
  json["seed"] = report.seed;
  auto& unseen = json["unseen"] = ordered_json::array();
  for (const int kind : report.unseen) unseen.push_back(report.kinds[static_cast<std::size_t>(kind - 1)]);
  json["left_out"] = report.left_out;
  auto& scorers = json["scorers"] = ordered_json::object();
  for (const auto& scorer : report.scorers) scorers[scorer.scorer] = scorer_json(report, scorer);
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string agreement_csv(const AgreementReport& report) {
  std::string text = "scorer,kind,kinds,srcc_over_photos,srcc_within_photo,cell_srcc,pairs_pristine_above\n";
  for (const auto& scorer : report.scorers) {
    const auto& agreement = scorer.agreement;
    const auto line = [&](const std::string& kind, const std::vector<int>& kinds, const std::string& rest) {
      text += fmt::format("{},{},{},{},{},{}\n", base::csv_text(scorer.scorer), base::csv_text(kind),
                          kinds.size(), base::csv_number(agreement.mean_within_kind(kinds)),
                          base::csv_number(agreement.mean_within_photo(kinds)), rest);
    };
    const auto all = all_kinds();
    line(all.name, all.kinds,
         base::csv_number(agreement.cell_srcc) + "," + base::csv_number(agreement.pairs_pristine_above));
    for (const auto& group : groups_of(report)) {
      if (!group.name.empty()) line(group.name, group.kinds, ",");
    }
    for (int kind = 1; kind <= kDistortionKinds; ++kind)
      line(report.kinds[static_cast<std::size_t>(kind - 1)], {kind}, ",");
  }
  return text;
}

std::string agreement_text(const AgreementReport& report) {
  std::string text = fmt::format("{} photos and {} copies, scored by {}\n", report.photos, report.copies,
                                 report.scorers.front().scorer);
  for (const auto& [why, count] : report.left_out)
    text += fmt::format("  left out with their copies: {} {}\n", count, why);
  text += kinds_text(report);
  if (report.scorers.size() > 1) text += scorers_text(report);
  return text;
}

}  // namespace quasar::evaluation
