#include "curation/ranking_summary.h"

#include <algorithm>
#include <exception>

#include "base/atomic_file.h"
#include "base/errors.h"

namespace quasar::curation {

RankingSummary read_ranking_summary(const store::RunLayout& run) {
  const auto path = run.summary();
  const auto text = base::read_file(path);
  RankingSummary ranked;
  try {
    ranked.json = nlohmann::ordered_json::parse(text);
    for (const auto& [name, statistics] : ranked.json.at("columns").items()) ranked.scores.push_back(name);
    const auto rank_by = ranked.json.at("config").at("rank_by").get<std::string>();
    // The combination of a single score is that score.
    const bool is_there = std::ranges::find(ranked.scores, rank_by) != ranked.scores.end();
    ranked.ranked_by = is_there ? rank_by : ranked.scores.at(0);
    ranked.scored = ranked.json.at("scored").get<std::uint64_t>();
  } catch (const std::exception& error) {
    base::fail(base::ExitCode::kInput, path.string() + " is no summary of a ranking (" + error.what() +
                                           "): \"quasar rank\" writes it");
  }
  return ranked;
}

}  // namespace quasar::curation
