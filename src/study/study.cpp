#include "study/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/file_lock.h"
#include "base/logging.h"
#include "base/progress.h"
#include "comm/cores.h"
#include "dataset/await_written.h"
#include "pass/run_pass.h"
#include "plot/figure.h"
#include "study/cell_work.h"
#include "study/grid_data.h"
#include "study/study_page.h"
#include "study/study_result.h"

namespace quasar::study {
namespace {

/// A cell with one of its draws.
struct Task {
  std::size_t place = 0;
  int draw = 0;
  std::filesystem::path file;
};

/// Draws of a cell that come out different: sets that are given, and whole sides by their mean, have one.
int draws_of(const StudyConfig& config, const Cell& cell) {
  const auto& source = cell.anchors();
  if (!source.corpus) return 1;
  const bool chosen = source.recipe.ratio < 1;
  const bool clustered = source.recipe.aggregate.aggregation != anchors::Aggregation::kMean;
  return chosen || clustered ? config.draws : 1;
}

/// The file of a cell's draw, named after all that its result depends on.
std::filesystem::path file_of(const StudyConfig& config, const GridData& grid, std::size_t place, int draw) {
  const auto& cell = config.cells[place];
  const auto address = [&](const std::string& key) {
    return key.empty() ? std::string()
                       : grid.sets.at({cell.embedder, key}).data.files().folder().filename().string();
  };
  nlohmann::json about;
  about["corpus"] = address(cell.corpus);
  about["anchor_data"] = address(cell.anchor_data);
  about["encoder"] = grid.embedders.at(cell.embedder).identity.describe();
  about["draw"] = draw;
  about["resamples"] = config.resamples;
  const auto ready = grid.ready.find(place);
  if (ready != grid.ready.end()) {
    about["anchors"] = store::anchor_fingerprint(ready->second);
  } else {
    const auto& recipe = cell.anchors().recipe;
    const auto& kmeans = recipe.aggregate.kmeans;
    about["recipe"] = {static_cast<int>(recipe.kind), recipe.ratio, recipe.offset.value_or(-1), recipe.seed,
                       static_cast<int>(recipe.aggregate.aggregation)};
    if (recipe.aggregate.aggregation != anchors::Aggregation::kMean)
      about["kmeans"] = {kmeans.k, kmeans.iterations, kmeans.seed, kmeans.max_points_per_centroid};
  }
  return config.folder / "cells" / (dataset::content_address(about.dump()) + ".json");
}

std::vector<Task> tasks_of(const StudyConfig& config, const GridData& grid) {
  std::vector<std::size_t> order(config.cells.size());
  std::iota(order.begin(), order.end(), 0U);
  // What shares embeddings follows each other, so that a rank reads them once.
  std::ranges::stable_sort(order, {}, [&](std::size_t place) {
    const auto& cell = config.cells[place];
    return std::tie(cell.embedder, cell.anchor_data, cell.corpus);
  });
  std::vector<Task> tasks;
  for (const auto place : order) {
    const int draws = draws_of(config, config.cells[place]);
    for (int draw = 0; draw < draws; ++draw)
      tasks.push_back({place, draw, file_of(config, grid, place, draw)});
  }
  return tasks;
}

/// Computes the tasks that have no result yet. Collective.
void work_off(const StudyConfig& config, const GridData& grid, const std::vector<Task>& tasks,
              const comm::Communicator& comm) {
  std::vector<std::uint64_t> missing;
  comm.on_root([&] {
    base::make_directories(config.folder / "cells");
    base::remove_stale_temporaries(config.folder / "cells");
    for (std::size_t i = 0; i < tasks.size(); ++i)
      if (!read_cell(tasks[i].file)) missing.push_back(i);
    base::log_info("{} of {} were computed before", base::counted(tasks.size() - missing.size(), "cell"),
                   tasks.size());
  });
  comm.broadcast(missing);
  const int cores = comm::cores_of_rank(comm);
  comm.together([&] { dataset::await_written(config.folder / "cells"); });
  pass::run_pass({"cells", "cells", missing.size(), tasks.size(), tasks.size() - missing.size()}, comm,
                 [&](pass::ShardFeed& feed) {
                   CellWorker worker(config, grid, cores);
                   while (const auto next = feed.next()) {
                     const auto& task = tasks[missing[*next]];
                     try {
                       write_cell(task.file, worker.compute(task.place, task.draw));
                     } catch (const base::Error& error) {
                       base::fail(error.code(), config.name + " (" +
                                                    describe(config, config.cells[task.place]) +
                                                    "): " + error.what());
                     }
                     feed.add_done(1);
                   }
                 });
}

std::vector<CellSummary> collect(const StudyConfig& config, const GridData& grid,
                                 const std::vector<Task>& tasks) {
  std::vector<std::vector<CellResult>> results(config.cells.size());
  for (const auto& task : tasks) {
    std::optional<CellResult> result;
    dataset::await_written(task.file, [&] {
      result = read_cell(task.file);
      return result.has_value();
    });
    results[task.place].push_back(*result);
  }
  std::vector<CellSummary> cells;
  for (std::size_t place = 0; place < results.size(); ++place) {
    const auto& cell = config.cells[place];
    cells.push_back(summarised(place, std::move(results[place]),
                               grid.sets.at({cell.embedder, cell.corpus}).pictures_per_second));
  }
  return cells;
}

/// The cell of the highest SRCC; nothing when none has one.
std::optional<std::size_t> best_cell(const std::vector<CellSummary>& cells) {
  const CellSummary* best = nullptr;
  for (const auto& cell : cells)
    if (std::isfinite(cell.srcc) && (best == nullptr || cell.srcc > best->srcc)) best = &cell;
  return best == nullptr ? std::nullopt : std::optional(best->place);
}

void write_result(const StudyConfig& config, const GridData& grid, const std::vector<CellSummary>& cells) {
  const std::vector<NamedFigure> figures = study_figures(config, cells);
  std::vector<NamedFigure> projections;
  std::vector<Sheet> sheets;
  CellWorker worker(config, grid, 1);
  if (config.projections) {
    std::string csv;
    projections = projection_figures(config, grid, worker, csv);
    base::write_file_atomically(config.folder / "separation.csv", csv);
  }
  const auto best = best_cell(cells);
  if (config.sheet > 0 && best) sheets = sheets_of(config, *best, worker);
  base::make_directories(config.folder / "figures");
  for (const auto* group : {&figures, &std::as_const(projections)}) {
    for (const auto& [name, svg] : *group)
      base::write_file_atomically(config.folder / "figures" / (name + ".svg"), plot::as_file(svg));
  }
  const auto table = study_table(config, cells);
  base::write_file_atomically(config.folder / "table.md", table_markdown(table));
  base::write_file_atomically(config.folder / "table.tex", table_latex(table));
  base::write_file_atomically(config.folder / "study.html",
                              study_page(config, cells, figures, projections, sheets));
  base::write_file_atomically(config.folder / "study.csv", study_csv(config, cells));
  base::log_info("the result is {} (study.csv, table.md, table.tex and figures beside it)",
                 (config.folder / "study.html").string());
  if (!best)
    base::fail(base::ExitCode::kNoResult, fmt::format("no cell has a correlation; {} says why of each",
                                                      (config.folder / "study.csv").string()));
}

}  // namespace

void run_study(const StudyConfig& config, StudyExtent extent, const comm::Communicator& comm) {
  const GridDraft draft(config, comm);
  if (extent == StudyExtent::kPlan) return;
  std::optional<base::FileLock> lock;  // On root.
  comm.on_root([&] {
    base::make_directories(config.folder);
    lock.emplace(config.folder / "study.lock", config.folder.string() +
                                                   " is being worked on by another job; wait "
                                                   "for its end and start this one again");
    base::write_file_atomically(config.folder / "study.yaml", config.effective);
  });
  const auto grid = draft.make(comm);
  const auto tasks = tasks_of(config, grid);
  work_off(config, grid, tasks, comm);
  const base::Phase phase("result");
  comm.on_root([&] { write_result(config, grid, collect(config, grid, tasks)); });
}

}  // namespace quasar::study
