// Embeddings and centroids that others have made, scored and ranked by the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
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
