// Filters, duplicates and balance as a user meets them: a folder with copies of its pictures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "distort/scenes.h"
#include "distort/write_image.h"
#include "image/resize.h"
#include "program.h"
#include "support/shared_vips.h"
#include "support/test_data.h"

namespace {

using namespace quasar;
using namespace quasar::test;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

image::RgbImage scaled(const image::RgbImage& picture, int width, int height) {
  auto raster =
      image::resize_bicubic({picture.width, picture.height, 3, false, picture.pixels}, width, height);
  image::RgbImage small(width, height);
  small.pixels = std::move(raster.pixels);
  return small;
}

image::RgbImage mirrored(const image::RgbImage& picture) {
  image::RgbImage turned(picture.width, picture.height);
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const auto to = static_cast<std::ptrdiff_t>(y * picture.width + x) * 3;
      const auto from = static_cast<std::ptrdiff_t>(y * picture.width + picture.width - 1 - x) * 3;
      std::copy_n(picture.pixels.begin() + from, 3, turned.pixels.begin() + to);
    }
  }
  return turned;
}

/// Six scenes, each as it is, as the same bytes, recompressed, at two thirds of its size, and mirrored; and a
/// picture so flat that its hash says nothing, with a copy.
class CurationTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(pictures());
    for (int i = 0; i < 6; ++i) {
      const auto scene = distort::render_scene(360, 270, 40 + static_cast<std::uint64_t>(i));
      const auto name = "scene-" + std::to_string(i);
      distort::write_png(scene, pictures() / (name + ".png"));
      fs::copy_file(pictures() / (name + ".png"), pictures() / (name + "-same.png"));
      distort::write_jpeg(scene, pictures() / (name + "-small-file.jpg"), 60);
      distort::write_png(scaled(scene, 240, 180), pictures() / (name + "-scaled.png"));
      distort::write_png(mirrored(scene), pictures() / (name + "-mirrored.png"));
    }
    image::RgbImage flat(200, 200);
    std::fill(flat.pixels.begin(), flat.pixels.end(), std::uint8_t{90});
    distort::write_png(flat, pictures() / "flat.png");
    distort::write_jpeg(flat, pictures() / "flat.jpg", 90);
    write_text(pictures() / "broken.png", "no picture");
  }

  fs::path pictures() { return scratch_ / "pictures"; }
  std::string config(const std::string& name, const std::string& curation) {
    auto path = (scratch_ / (name + ".yaml")).string();
    write_text(path, "run: " + (scratch_ / name).string() + "\ncorpus: {directory: " + pictures().string() +
                         ", shard_size: 7}\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() + "}\ncuration:\n" +
                         curation);
    return path;
  }
  std::map<std::string, nlohmann::json> rows(const std::string& name) {
    std::map<std::string, nlohmann::json> found;
    std::istringstream lines(content(scratch_ / name / "manifest.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      auto row = nlohmann::json::parse(line);
      found[row.at("id")] = row;
    }
    return found;
  }
  static std::string scene_of(const std::string& id) { return id.substr(0, 7); }

  ScratchFolder scratch_;
};

TEST_F(CurationTest, OfCopiesTheBestStays) {
  const auto outcome =
      run_quasar({"run", config("run", "  duplicates: {exact: true, perceptual: true}\n")}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto found = rows("run");
  ASSERT_EQ(found.size(), 33U);
  std::map<std::string, int> kept;
  for (const auto& [id, row] : found) {
    if (!id.starts_with("scene-")) continue;
    const bool mirrored = id.find("mirrored") != std::string::npos;
    if (row.at("keep") == true) ++kept[scene_of(id) + (mirrored ? " mirrored" : "")];
    if (mirrored) {
      EXPECT_EQ(row.at("reason"), "all") << id;
      continue;
    }
    EXPECT_EQ(row.at("group_size"), 4) << id;
    if (row.at("keep") == true) {
      EXPECT_EQ(row.at("duplicate_of"), "");
      continue;
    }
    const auto& better = found.at(row.at("duplicate_of"));
    EXPECT_EQ(better.at("keep"), true) << id;
    EXPECT_EQ(scene_of(better.at("id")), scene_of(id));
    EXPECT_LT(better.at("rank").get<int>(), row.at("rank").get<int>());
    EXPECT_LE(row.at("distance").get<int>(), 31);
    if (row.at("hash") == better.at("hash")) {
      EXPECT_EQ(row.at("reason"), "duplicate: exact");
    }
    if (row.at("distance") > 0) {
      EXPECT_EQ(row.at("reason"), "duplicate: perceptual");
    }
  }
  EXPECT_EQ(kept.size(), 12U);
  for (const auto& [scene, count] : kept) EXPECT_EQ(count, 1) << scene;
  EXPECT_EQ(found.at("flat.png").at("keep"), true);
  EXPECT_EQ(found.at("flat.jpg").at("keep"), true);
  EXPECT_EQ(found.at("broken.png").at("reason"), "status: unknown_format");

  // Another rule is a matter of ranking, and of the same manifests on any number of ranks.
  const auto again = config("run", "  duplicates: {exact: true, perceptual: true}\n  keep: {top_k: 13}\n");
  std::map<int, std::string> manifests;
  for (const int ranks : {0, 3}) {
    const auto ranked = run_quasar({"rank", again}, ranks);
    ASSERT_EQ(ranked.status, 0) << ranked.output;
    manifests[ranks] = content(scratch_ / "run" / "manifest.csv");
  }
  EXPECT_EQ(manifests[0], manifests[3]);
  int top = 0;
  for (const auto& [id, row] : rows("run")) top += row.at("keep") == true ? 1 : 0;
  EXPECT_EQ(top, 13) << "limits count what is no copy";
  const auto verified = run_quasar({"verify", again});
  EXPECT_EQ(verified.status, 0) << verified.output;
}

TEST_F(CurationTest, MirroredCopiesInEightPosesAndWhatIsInABenchmark) {
  const auto hashed =
      run_quasar({"hash", (pictures() / "scene-2.png").string(), (pictures() / "flat.png").string()});
  ASSERT_EQ(hashed.status, 0);
  write_text(scratch_ / "benchmark.pdq", hashed.output);
  const auto outcome =
      run_quasar({"run", config("run", "  duplicates:\n    perceptual: {poses: 8}\n    against: [" +
                                           (scratch_ / "benchmark.pdq").string() + "]\n")});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  std::map<std::string, int> kept;
  for (const auto& [id, row] : rows("run")) {
    if (!id.starts_with("scene-")) continue;
    kept[scene_of(id)] += row.at("keep") == true ? 1 : 0;
    if (scene_of(id) != "scene-2") continue;
    EXPECT_EQ(row.at("reason"), "against: benchmark.pdq") << id;
    EXPECT_EQ(row.at("duplicate_of"), (pictures() / "scene-2.png").string());
  }
  for (const auto& [scene, count] : kept) EXPECT_EQ(count, scene == "scene-2" ? 0 : 1) << scene;

  // The run itself as what another must not hold.
  const auto other = run_quasar({"run", config("other", "  duplicates: {perceptual: true, against: [" +
                                                            (scratch_ / "run").string() + "]}\n")});
  ASSERT_EQ(other.status, 0) << other.output;
  for (const auto& [id, row] : rows("other")) {
    if (id.starts_with("scene-")) {
      EXPECT_EQ(row.at("reason"), "against: run") << id;
    }
  }
}

TEST_F(CurationTest, ABalancedSampleIsTheBestOfEveryCluster) {
  const std::string balance =
      "  duplicates: {exact: true}\n  balance: {levels: [8, 3], resample: {steps: 1, rows: 2}, target: ";
  for (const auto& [levels, message] :
       {std::pair("[3, 8]", "each level has fewer"), std::pair("[80, 8]", "80 clusters of 33 rows")}) {
    const auto refused =
        run_quasar({"run", config("run", std::string("  balance: {target: 4, levels: ") + levels + "}\n")});
    EXPECT_EQ(refused.status, 3) << refused.output;
    EXPECT_THAT(refused.output,
                AllOf(HasSubstr("run.yaml:"), HasSubstr("curation.balance.levels"), HasSubstr(message)));
    EXPECT_FALSE(fs::exists(scratch_ / "run"));
  }
  const auto outcome = run_quasar({"run", config("run", balance + "12}\n")}, 3);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  std::map<std::string, int> reasons;
  std::map<int, std::pair<int, int>> ranks;  // By cluster: the worst kept, the best that went.
  for (const auto& [id, row] : rows("run")) {
    const std::string reason = row.at("reason");
    ++reasons[reason];
    EXPECT_EQ(row.at("cluster_1").is_null(), reason != "balance" && reason != "all") << id;
    if (row.at("cluster_1").is_null()) continue;
    EXPECT_LT(row.at("cluster_2").get<int>(), 3);
    auto& [kept, gone] = ranks.try_emplace(row.at("cluster_1").get<int>(), 0, 1000).first->second;
    const int rank = row.at("rank");
    if (reason == "all") {
      kept = std::max(kept, rank);
    } else {
      gone = std::min(gone, rank);
    }
  }
  EXPECT_EQ(reasons["all"], 12);
  EXPECT_EQ(reasons["duplicate: exact"], 6);
  EXPECT_EQ(reasons["balance"], 14);
  for (const auto& [cluster, bounds] : ranks) EXPECT_LT(bounds.first, bounds.second) << cluster;
  const auto summary = nlohmann::json::parse(content(scratch_ / "run" / "summary.json"));
  EXPECT_EQ(summary.at("balance").at("rows"), 26);
  EXPECT_EQ(summary.at("balance").at("kept"), 12);
  EXPECT_EQ(summary.at("balance").at("levels").at(0).at("clusters"), 8);

  // Alone, from nothing, the same manifests; and then from the clusters that are there.
  const auto manifest = content(scratch_ / "run" / "manifest.csv");
  const auto clusters = content(scratch_ / "run" / "clusters" / "hierarchy.bin");
  fs::remove_all(scratch_ / "run" / "clusters");
  const auto alone = run_quasar({"rank", config("run", balance + "12}\n")});
  ASSERT_EQ(alone.status, 0) << alone.output;
  EXPECT_EQ(content(scratch_ / "run" / "manifest.csv"), manifest);
  EXPECT_EQ(content(scratch_ / "run" / "clusters" / "hierarchy.bin"), clusters);
  const auto more = run_quasar({"rank", config("run", balance + "500}\n  keep: {top_k: 20}\n")});
  ASSERT_EQ(more.status, 0) << more.output;
  EXPECT_THAT(more.output, AllOf(HasSubstr("are those of these rows"), HasSubstr("all of these stay")));
  int kept = 0;
  for (const auto& [id, row] : rows("run")) kept += row.at("keep") == true ? 1 : 0;
  EXPECT_EQ(kept, 20);
}

TEST_F(CurationTest, ARunWithoutHashesIsNamed) {
  const auto plain = run_quasar({"run", config("run", "  keep: {top_k: 3}\n")});
  ASSERT_EQ(plain.status, 0) << plain.output;
  const auto exact = run_quasar({"rank", config("run", "  duplicates: {exact: true}\n")});
  EXPECT_EQ(exact.status, 0) << exact.output;
  EXPECT_EQ(rows("run").at("scene-0.png").at("reason"), "duplicate: exact");
  const auto refused = run_quasar({"rank", config("run", "  duplicates: {perceptual: true}\n")});
  EXPECT_EQ(refused.status, 6) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("embed.perceptual_hash"));
}

TEST_F(CurationTest, CosinesOfMiniAreRefusedBeforeAnyWork) {
  const auto refused = run_quasar({"run", config("run", "  duplicates: {cosine: true}\n")}, 2);
  EXPECT_EQ(refused.status, 3) << refused.output;
  EXPECT_THAT(refused.output,
              AllOf(HasSubstr("curation.duplicates.cosine"), HasSubstr("median cosine of 0.94")));
  EXPECT_FALSE(fs::exists(scratch_ / "run"));
}

TEST_F(CurationTest, FiltersByNameAndUnknownColumnsBeforeAnyWork) {
  const auto refused =
      run_quasar({"run", config("run", "  filters: {big: {column: min_sid, at_least: 200}}\n")}, 2);
  EXPECT_EQ(refused.status, 3) << refused.output;
  EXPECT_THAT(refused.output, AllOf(HasSubstr("filters.big.column"), HasSubstr("did you mean 'min_side'")));
  EXPECT_FALSE(fs::exists(scratch_ / "run"));
  const auto outcome =
      run_quasar({"run", config("run",
                                "  filter_presets: [datacomp-basic]\n  filters: {kind: {column: "
                                "format, one_of: [png]}}\n")},
                 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto found = rows("run");
  EXPECT_EQ(found.at("scene-1-scaled.png").at("reason"), "filter: datacomp-basic.min_side");
  EXPECT_EQ(found.at("scene-1-small-file.jpg").at("reason"), "filter: kind");
  EXPECT_EQ(found.at("scene-1.png").at("reason"), "all");
  const auto filters = nlohmann::json::parse(content(scratch_ / "run" / "summary.json")).at("filters");
  EXPECT_EQ(filters.at("kind").at("rows_failed"), 7);
  EXPECT_EQ(filters.at("datacomp-basic.min_side").at("rows_failed"), 6);
}

TEST_F(CurationTest, AFilterThatFindsNoValueAtAllIsSaid) {
  const auto outcome =
      run_quasar({"run", config("run",
                                "  filters:\n    \"two\\nlines\": {column: width, at_most: 300}\n"
                                "    kind: {column: format, at_least: 3}\n")},
                 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output,
              AllOf(HasSubstr("filter kind: not one of the 32 scored rows has a number in the column format"),
                    HasSubstr("all are dropped")));
  const auto reasons = nlohmann::json::parse(content(scratch_ / "run" / "summary.json")).at("by_reason");
  EXPECT_EQ(reasons.at("filter: two\nlines"), 24);
  EXPECT_EQ(reasons.at("filter: kind (no value)"), 8);
}

}  // namespace
