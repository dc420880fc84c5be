// Evaluation: processor seconds and memory for scorers of rated rows in groups, against one sort of the same
// scores in the same run.
//
//   evaluate_benchmark [rows = 1000000] [groups = 25]
//
// The sort is the least that a rank correlation costs. Of the two scorers one follows the labels closely and
// one hardly does: the logistic fit of the second lies in a flat valley, where the solver goes on to its
// limit of calls, so that the seconds of its fits, told apart, are far above those of the first.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"
#include "evaluation/evaluate.h"
#include "evaluation/logistic_fit.h"
#include "support.h"

namespace {

using namespace quasar;

/// Ratings from 1 to 5, and of each scorer a tenth of the rating plus noise.
evaluation::RatedPictures rated_pictures(std::uint64_t rows, std::uint64_t groups) {
  evaluation::RatedPictures pictures;
  pictures.scorers = {"close", "weak"};
  pictures.scores.resize(2);
  base::Random random(7);
  const auto unit = [&] { return static_cast<double>(random.below(std::uint64_t{1} << 32U)) * 0x1.0p-32; };
  // A sum of four even draws, with deviation 1.
  const auto noise = [&] { return (unit() + unit() + unit() + unit() - 2) * std::sqrt(3.0); };
  for (std::uint64_t row = 0; row < rows; ++row) {
    const double label = 1 + 4 * unit();
    pictures.labels.push_back(label);
    pictures.scores[0].push_back(0.1 * label + 0.05 * noise());
    pictures.scores[1].push_back(0.1 * label + 1.35 * noise());
    pictures.groups.push_back("group " + std::to_string(row % groups));
  }
  return pictures;
}

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(argc, argv, "evaluate_benchmark [rows] [groups]");
  const auto rows = arguments.number(1, 1'000'000);
  const auto groups = arguments.number(2, 25);
  const auto pictures = rated_pictures(rows, groups);

  const double sort = benchmarks::seconds_of(
      [&] {
        for (auto scores : pictures.scores) std::sort(scores.begin(), scores.end());
      },
      benchmarks::processor_seconds);
  std::printf("%llu rows, %zu scorers, %llu groups\nsort of the scores: %.3f s\n",
              static_cast<unsigned long long>(rows), pictures.scorers.size(),
              static_cast<unsigned long long>(groups), sort);
  for (std::size_t s = 0; s < pictures.scorers.size(); ++s) {
    for (const auto kind : {evaluation::LogisticKind::kFour, evaluation::LogisticKind::kFive}) {
      evaluation::LogisticFit fit;
      const double seconds = benchmarks::seconds_of(
          [&] { fit = evaluation::fit_logistic(kind, pictures.scores[s], pictures.labels); },
          benchmarks::processor_seconds);
      std::printf("fit of %d parameters, %s: %.3f s, PLCC %.6f\n",
                  kind == evaluation::LogisticKind::kFour ? 4 : 5, pictures.scorers[s].c_str(), seconds,
                  fit.plcc);
    }
  }
  benchmarks::reset_memory_peak();
  const auto before = benchmarks::memory_status("VmRSS");
  evaluation::Evaluation result;
  const double seconds = benchmarks::seconds_of([&] { result = evaluation::evaluate(pictures, {}); },
                                                benchmarks::processor_seconds);
  std::printf("evaluation: %.3f s, %.0f times the sort, peak %.0f MiB above the rows; SRCC", seconds,
              seconds / sort, static_cast<double>(benchmarks::memory_status("VmHWM") - before) / (1U << 20U));
  for (const auto& scorer : result.scorers) std::printf(" %.6f", scorer.all.srcc);
  std::printf("\n");
  return result.evaluated.size() == rows ? 0 : 1;
}
