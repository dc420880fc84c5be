// The reference's protocol on AADB, from the authors' files and stored embeddings to the reported
// correlation.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "anchors/aggregate.h"
#include "anchors/splits.h"
#include "corpus/plan.h"
#include "evaluation/correlation.h"
#include "scoring/score.h"
#include "support/safetensors_reader.h"
#include "support/test_data.h"

namespace quasar::anchors {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = test::test_file("golden/aggregation");

nlohmann::json read_json(const std::string& file) {
  return nlohmann::json::parse(std::ifstream(kFolder / file));
}

/// AVA's ratings, as the reference has kept them: a mean of votes per picture.
std::vector<LabelledRow> ava_rows() {
  std::vector<LabelledRow> rows;
  const auto ava = read_json("nr_ava.json");
  for (const auto& entry : ava.at("results_paths")) {
    const auto item = entry.items().begin();
    rows.push_back({static_cast<std::int64_t>(rows.size()), item.value().get<double>(),
                    fs::path(item.key()).filename().string(), "", true});
  }
  return rows;
}

/// The labels of AADB's test part in the order of its list, read as they are published.
std::vector<double> aadb_labels(const fs::path& root, const test::SafetensorsReader& io) {
  const auto names = read_json("target_aadb.json").at("results_paths");
  const auto labels = io.values<double>("target_labels");
  EXPECT_EQ(names.size(), labels.size());
  fs::create_directories(root / "imgListFiles_label");
  fs::create_directories(root / "AADB_newtest_originalSize");
  for (const auto* list : {"Train", "Validation"})
    std::ofstream(root / "imgListFiles_label" / (std::string("imgList") + list + "Regression_score.txt"));
  std::ofstream list(root / "imgListFiles_label" / "imgListTestNewRegression_score.txt");
  list.precision(17);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto name = fs::path(names[i].get<std::string>()).filename().string();
    list << name << ' ' << labels[i] << '\n';
    std::ofstream(root / "AADB_newtest_originalSize" / name) << 'x';
  }
  list.close();
  corpus::CorpusConfig config;
  config.sources.resize(1);
  config.sources.front().kind = corpus::SourceKind::kBenchmark;
  config.sources.front().benchmark = "aadb";
  config.sources.front().path = root;
  config.sources.front().split = "test";
  std::vector<double> result;
  for (const auto& item : corpus::Plan::make(config).read_items()) result.push_back(item.label.value());
  return result;
}

TEST(Protocol, OnAADBGivesTheReferencesCorrelation) {
  const test::SafetensorsReader io(kFolder / "io.safetensors");
  const auto world = comm::Communicator::world();
  const test::ScratchFolder scratch;
  const auto labels = aadb_labels(scratch.path(), io);
  const auto targets = io.values<float>("target_aadb_embeddings");
  const auto anchor_rows = io.values<float>("nr_ava_embeddings");
  const auto dimension = static_cast<std::size_t>(io.shape("nr_ava_embeddings")[1]);
  ASSERT_EQ(targets.size(), labels.size() * dimension);

  std::vector<float> held;
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < anchor_rows.size() / dimension; ++i) {
    if (static_cast<int>(i) % world.size() != world.rank()) continue;
    numbers.push_back(static_cast<std::int64_t>(i));
    const auto begin = anchor_rows.begin() + static_cast<std::ptrdiff_t>(i * dimension);
    held.insert(held.end(), begin, begin + static_cast<std::ptrdiff_t>(dimension));
  }
  int checked = 0;
  const auto reference = read_json("case.json");
  for (const auto& golden : reference.at("cases")) {
    const auto tag = golden.at("tag").get<std::string>();
    // Those without draws of numpy's generator.
    std::optional<double> offset;
    if (tag == "nr_offset0.2") offset = 0.2;
    if (tag == "nr_offset0.5") offset = 0.5;
    if (tag != "nr_mean" && !offset) continue;
    cluster::MemoryRows rows({held, numbers, dimension});
    const auto centroids = aggregate(rows, split_no_reference(ava_rows(), offset, 1.0, 42), {}, world);
    const auto good = normalised(centroids.good, dimension);
    const auto bad = normalised(centroids.bad, dimension);
    std::vector<double> scores;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      scores.push_back(
          scoring::score_row(std::span(targets).subspan(i * dimension, dimension), {good, bad, dimension}));
    }
    EXPECT_NEAR(evaluation::spearman(scores, labels), golden.at("srcc_signed").get<double>(), 1e-9) << tag;
    ++checked;
  }
  EXPECT_EQ(checked, 3);
}

}  // namespace
}  // namespace quasar::anchors
