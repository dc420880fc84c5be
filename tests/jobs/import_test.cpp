// Embeddings and centroids that others have made, scored and ranked by the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "checkpoint/weights_file.h"
#include "evaluation/correlation.h"
#include "program.h"
#include "store/vector_file.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

const std::vector<std::string> kPhotos = {"123_456.jpg", "208_495.jpg", "416_264.jpg", "456_123.jpg",
                                          "321_421.jpg", "389_535.jpg", "524_316.jpg"};

fs::path golden() {
  return shared_data() / "data/clip-golden";
}
fs::path ratings() {
  return shared_data() / "data/encoders/laion-aesthetic";
}

/// Score by id of a manifest without quoted cells.
std::map<std::string, double> scores_of(const fs::path& manifest) {
  std::istringstream lines(content(manifest));
  std::string line;
  std::getline(lines, line);
  std::map<std::string, double> scores;
  while (std::getline(lines, line)) {
    std::vector<std::string> cells;
    std::istringstream row(line);
    for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
    scores[cells[1]] = cells[7].empty() ? std::nan("") : std::stod(cells[7]);
  }
  return scores;
}

class ImportTest : public testing::Test {
 protected:
  void SetUp() override {
    if (missing_data(golden())) GTEST_SKIP() << "no test data";
    std::string ids;
    for (const auto& photo : kPhotos) ids += photo + "\n";
    write_text(scratch_ / "ids.txt", ids);
  }

  std::string config(const std::string& anchors, const std::string& dimension = "b_32") const {
    std::string vectors;
    for (int i = 0; i < 4; ++i)
      vectors += (i > 0 ? ", " : "") + (golden() / ("emb_" + std::to_string(i) + ".npy")).string();
    const auto folder = (ratings() / ("vit_" + dimension + "_embeddings")).string();
    auto path = (scratch_ / "run.yaml").string();
    write_text(path,
               "run: " + (scratch_ / "run").string() + "\ncorpus: {directory: " + golden().string() +
                   ", shard_size: 3}\nencoder: {architecture: imported, name: CLIP ViT-B/32, vectors: [" +
                   vectors + "], ids: " + (scratch_ / "ids.txt").string() +
                   "}\nanchors:\n  aesthetics:\n    good_vectors: [" + folder + "/rating7.npy, " + folder +
                   "/rating8.npy, " + folder + "/rating9.npy]\n    bad_vectors: [" + folder +
                   "/rating1.npy, " + folder + "/rating2.npy, " + folder + "/rating3.npy]\n" + anchors);
    return path;
  }

  ScratchFolder scratch_;
};

TEST_F(ImportTest, SevenPhotosAreRankedByPublishedAestheticCentroids) {
  const auto outcome = run_quasar({"run", config("")});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto scores = scores_of(scratch_ / "run/manifest.csv");
  const auto head = quasar::checkpoint::read_weights_file(ratings() / "sa_0_4_vit_b_32_linear.pth");
  const auto weight = head.tensors.at("weight").bytes;
  std::vector<double> ours;
  std::vector<double> linear;
  std::size_t photo = 0;
  for (int i = 0; i < 4; ++i) {
    const quasar::store::VectorFile file(golden() / ("emb_" + std::to_string(i) + ".npy"));
    ASSERT_EQ(weight.size(), file.dimension() * sizeof(float));
    std::vector<float> row(file.dimension());
    for (std::uint64_t r = 0; r < file.rows(); ++r, ++photo) {
      file.read(r, 1, row);
      double sum = 0;
      for (std::size_t j = 0; j < row.size(); ++j) {
        float w = 0;
        std::memcpy(&w, weight.data() + j * sizeof(float), sizeof(float));
        sum += static_cast<double>(w) * static_cast<double>(row[j]);
      }
      linear.push_back(sum);
      ours.push_back(scores.at(kPhotos[photo]));
    }
  }
  ASSERT_EQ(photo, kPhotos.size());
  const double srcc = quasar::evaluation::spearman(ours, linear);
  // Of seven pictures, by what the centroids of the extreme ratings and the regression make of all of them.
  EXPECT_NEAR(srcc, 18.0 / 28.0, 1e-12);
}

TEST_F(ImportTest, ManyRanksGiveTheSameManifest) {
  ASSERT_EQ(run_quasar({"run", config("")}).status, 0);
  const auto one = content(scratch_ / "run/manifest.csv");
  fs::remove_all(scratch_ / "run");
  ASSERT_EQ(run_quasar({"run", config("")}, 3).status, 0);
  EXPECT_EQ(content(scratch_ / "run/manifest.csv"), one);
}

TEST_F(ImportTest, OfPicturesWithLikeVectorsTheBestStays) {
  std::vector<std::vector<double>> vectors;
  for (int i = 0; i < 4; ++i) {
    const quasar::store::VectorFile file(golden() / ("emb_" + std::to_string(i) + ".npy"));
    for (std::uint64_t r = 0; r < file.rows(); ++r) {
      std::vector<float> row(file.dimension());
      file.read(r, 1, row);
      vectors.emplace_back(row.begin(), row.end());
    }
  }
  ASSERT_EQ(vectors.size(), kPhotos.size());
  const auto product = [&](std::size_t a, std::size_t b) {
    return std::inner_product(vectors[a].begin(), vectors[a].end(), vectors[b].begin(), 0.0);
  };
  const auto cosine = [&](std::size_t a, std::size_t b) {
    return product(a, b) / std::sqrt(product(a, a) * product(b, b));
  };
  // Between the cosines of the pairs, so that some are alike.
  std::vector<double> cosines;
  for (std::size_t a = 0; a < vectors.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) cosines.push_back(cosine(a, b));
  }
  std::ranges::sort(cosines);
  const double threshold = (cosines[14] + cosines[15]) / 2;
  const auto run = config(
      "curation: {duplicates: {exact: true, cosine: {threshold: " + std::to_string(threshold) + "}}}\n");
  const auto outcome = run_quasar({"run", run});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  std::vector<std::size_t> kept;
  int gone = 0;
  std::istringstream lines(content(scratch_ / "run/manifest.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto row = nlohmann::json::parse(line);
    const auto photo = static_cast<std::size_t>(
        std::find(kPhotos.begin(), kPhotos.end(), row.at("id").get<std::string>()) - kPhotos.begin());
    const auto like = std::ranges::find_if(kept, [&](std::size_t k) { return cosine(k, photo) > threshold; });
    if (like == kept.end()) {
      kept.push_back(photo);
      EXPECT_EQ(row.at("reason"), "all") << line;
      continue;
    }
    ++gone;
    EXPECT_EQ(row.at("reason"), "duplicate: cosine") << line;
    EXPECT_EQ(row.at("duplicate_of"), kPhotos[*like]) << line;
    EXPECT_NEAR(row.at("distance").get<double>(), 10000 * (1 - cosine(*like, photo)), 0.6) << line;
  }
  EXPECT_GT(gone, 1);
  const auto manifest = content(scratch_ / "run/manifest.csv");
  const auto ranked = run_quasar({"rank", run}, 3);
  ASSERT_EQ(ranked.status, 0) << ranked.output;
  EXPECT_EQ(content(scratch_ / "run/manifest.csv"), manifest);
  EXPECT_THAT(content(scratch_ / "run/summary.json"), HasSubstr("\"rule\": \"greedy\""));
}

TEST_F(ImportTest, WhatAnotherRunHoldsGoesByItsVectors) {
  ASSERT_EQ(run_quasar({"run", config("")}).status, 0);
  const auto path = config("curation: {duplicates: {cosine: {threshold: 0.999}, against: [" +
                           (scratch_ / "run").string() + "]}}\n");
  const auto outcome = run_quasar({"run", path, "--set", "run=" + (scratch_ / "other").string()});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto manifest = content(scratch_ / "other/manifest.jsonl");
  std::istringstream lines(manifest);
  std::size_t rows = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    const auto row = nlohmann::json::parse(line);
    EXPECT_EQ(row.at("keep"), false) << line;
    EXPECT_EQ(row.at("reason"), "against: run (cosine)") << line;
    EXPECT_EQ(row.at("duplicate_of"), row.at("id")) << line;
    EXPECT_EQ(row.at("distance"), 0) << line;
  }
  EXPECT_EQ(rows, kPhotos.size());
  const auto ranked = run_quasar({"rank", path, "--set", "run=" + (scratch_ / "other").string()}, 3);
  ASSERT_EQ(ranked.status, 0) << ranked.output;
  EXPECT_EQ(content(scratch_ / "other/manifest.jsonl"), manifest);
  // Before anything is written.
  const auto refused = run_quasar(
      {"run", path, "--set", "run=" + (scratch_ / "third").string(), "--set", "encoder.name=another"});
  EXPECT_EQ(refused.status, 6) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("imported: CLIP ViT-B/32"));
  EXPECT_THAT(refused.output, HasSubstr("imported: another"));
  EXPECT_FALSE(fs::exists(scratch_ / "third" / "plan.json"));
}

TEST_F(ImportTest, APictureWithoutAVectorCostsItsRow) {
  write_text(scratch_ / "ids.txt", "another\n" + content(scratch_ / "ids.txt").substr(kPhotos[0].size() + 1));
  const auto outcome = run_quasar({"run", config("")});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(content(scratch_ / "run/manifest.csv"), HasSubstr("status: missing"));
}

TEST_F(ImportTest, WhatDoesNotFitIsRefusedBeforeTheRunDirectoryIsMade) {
  const auto wrong = run_quasar({"run", config("", "l_14")});
  EXPECT_EQ(wrong.status, 6) << wrong.output;
  EXPECT_THAT(wrong.output, HasSubstr("vectors of 768 values, the encoder gives 512"));
  write_text(scratch_ / "ids.txt", "one\ntwo\n");
  const auto few = run_quasar({"run", config("")});
  EXPECT_EQ(few.status, 4) << few.output;
  EXPECT_THAT(few.output, HasSubstr("line i has to name row i"));
  EXPECT_FALSE(fs::exists(scratch_ / "run"));
}

}  // namespace
