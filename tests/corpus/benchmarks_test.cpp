// Published data sets in their authors' layouts: small trees with invented values, and what is done to such
// trees by half a download, by hand, or by malice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "corpus/benchmarks/benchmark.h"
#include "corpus/plan.h"
#include "corpus/sources/source.h"
#include "support/test_data.h"

namespace quasar::corpus {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

SourceConfig source_of(const std::string& name, const fs::path& root) {
  SourceConfig source;
  source.kind = SourceKind::kBenchmark;
  source.benchmark = name;
  source.path = root;
  return source;
}

Plan plan_of(const SourceConfig& source) {
  CorpusConfig corpus;
  corpus.sources = {source};
  return Plan::make(corpus);
}

std::string error_of(const SourceConfig& source) {
  try {
    plan_of(source);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "no error";
}

std::string config_error(const std::string& yaml) {
  try {
    corpus_config_from_yaml(base::ConfigNode::parse_text(yaml, "t.yaml"));
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    return error.what();
  }
  return "no error";
}

std::map<std::string, Item> by_id(const Plan& plan) {
  std::map<std::string, Item> items;
  for (auto& item : plan.read_items()) items.emplace(item.id, item);
  return items;
}

std::string field_of(const Item& item, const std::string& name) {
  for (const auto& [key, value] : item.fields)
    if (key == name) return value;
  return "";
}

std::string text_of_value(const json& value) {
  return value.is_null() ? "" : value.is_string() ? value.get<std::string>() : value.dump();
}

class Trees : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder_ = test::shared_data() / "data" / "benchmarks" / GetParam();
};

TEST_P(Trees, AreReadToTheLetter) {
  QUASAR_REQUIRE_DATA(folder_);
  const json expected = json::parse(std::ifstream(folder_ / "expected.json"));
  const fs::path root = (folder_ / expected.at("root").get<std::string>()).lexically_normal();
  auto source = source_of(GetParam(), root);
  const Benchmark& set = *find_benchmark(GetParam());
  if (!set.default_split.empty()) source.split = "all";
  const Plan plan = plan_of(source);
  const auto items = by_id(plan);

  std::uint64_t missing = 0;
  for (const auto& row : expected.at("rows")) {
    const auto path = row.at("path").get<std::string>();
    ASSERT_TRUE(items.count(path)) << path;
    const Item& item = items.at(path);
    EXPECT_EQ(item.source, (root / path).string());
    if (row.at("score").is_null()) {
      EXPECT_FALSE(item.label) << path;
    } else {
      ASSERT_TRUE(item.label) << path;
      EXPECT_NEAR(*item.label, row.at("score").get<double>(), 1e-14) << path;
    }
    if (row.contains("score_std")) {
      ASSERT_TRUE(item.deviation) << path;
      EXPECT_NEAR(*item.deviation, row.at("score_std").get<double>(), 1e-12) << path;
    } else {
      EXPECT_FALSE(item.deviation) << path;
    }
    EXPECT_EQ(item.reference, text_of_value(row.at("reference"))) << path;
    EXPECT_EQ(item.split, text_of_value(row.at("split"))) << path;
    EXPECT_EQ(field_of(item, GetParam() == "tad66k" ? "theme" : "kind"), text_of_value(row.at("kind")))
        << path;
    EXPECT_EQ(field_of(item, "level"), text_of_value(row.at("level"))) << path;
    EXPECT_EQ(fs::exists(root / path), !row.at("missing").get<bool>()) << path;
    missing += row.at("missing").get<bool>() ? 1 : 0;
    const json attributes = row.value("attributes", json::object());
    for (const auto& [name, value] : attributes.items())
      EXPECT_DOUBLE_EQ(std::stod(field_of(item, name)), value.get<double>()) << path;
    if (row.contains("votes")) {
      EXPECT_EQ(field_of(item, "votes"), row.at("votes").dump());
    }
  }
  EXPECT_EQ(items.size(), expected.at("rows").size());
  const json mos_1_to_5 = expected.value("mos_1_to_5", json::object());
  for (const auto& [name, mos] : mos_1_to_5.items())
    EXPECT_NEAR(std::stod(field_of(items.at("1024x768/" + name), "mos_1_to_5")), mos.get<double>(), 1e-13);

  ASSERT_EQ(plan.published_sets().size(), 1U);
  const auto known = plan.published_sets().front();
  EXPECT_EQ(known.name, GetParam());
  EXPECT_EQ(known.listed, items.size());
  EXPECT_EQ(known.published, expected.at("full_rows").get<std::uint64_t>());
  EXPECT_EQ(known.missing, missing);
  if (missing > 0) {
    EXPECT_THAT(plan.noted(), Contains(Pair("pictures that are missing", missing)));
  } else {
    EXPECT_EQ(plan.noted().count("pictures that are missing"), 0U);
  }
  EXPECT_THAT(plan.left_out(), IsEmpty());
  const json full_splits = expected.value("full_splits", json::object());
  for (const auto& [name, count] : full_splits.items()) {
    EXPECT_THAT(set.variants.front().splits,
                Contains(AllOf(testing::Field(&PublishedSplit::name, name),
                               testing::Field(&PublishedSplit::published, count.get<std::uint64_t>()))));
  }
  if (expected.contains("references") && set.references > 0) {
    EXPECT_EQ(set.references, expected.at("references").get<std::uint64_t>());
  }

  const auto scale = plan.label_scale();
  ASSERT_EQ(scale.has_value(), !expected.at("higher_is_better").is_null());
  if (!scale) return;
  EXPECT_EQ(scale->direction == LabelDirection::kUp, expected.at("higher_is_better").get<bool>());
  EXPECT_EQ(scale->low.has_value(), expected.at("range").is_array());
  if (scale->low) {
    EXPECT_EQ(*scale->low, expected.at("range")[0].get<double>());
    EXPECT_EQ(*scale->high, expected.at("range")[1].get<double>());
  }
}

TEST_P(Trees, GiveTheSamePlanAgainAndAfterBeingSaved) {
  QUASAR_REQUIRE_DATA(folder_);
  const json expected = json::parse(std::ifstream(folder_ / "expected.json"));
  CorpusConfig corpus;
  corpus.sources = {source_of(GetParam(), folder_ / expected.at("root").get<std::string>())};
  const Plan plan = Plan::make(corpus);
  const test::ScratchFolder run;
  plan.save(run.path());
  const Plan loaded = Plan::load(run.path());
  EXPECT_EQ(loaded.published_sets(), plan.published_sets());
  EXPECT_EQ(loaded.label_scale(), plan.label_scale());
  EXPECT_EQ(loaded.extend(corpus).fingerprint(), plan.fingerprint());
}

/// Whatever is cut short, or turned to junk: items, or an error that names the file.
TEST_P(Trees, DamagedLabelFilesAreErrorsOrCounts) {
  QUASAR_REQUIRE_DATA(folder_);
  const json expected = json::parse(std::ifstream(folder_ / "expected.json"));
  const fs::path original = folder_ / expected.at("root").get<std::string>();
  const test::ScratchFolder scratch;
  const fs::path root = scratch / "tree";
  fs::copy(original, root, fs::copy_options::recursive);
  const auto whole = plan_of(source_of(GetParam(), root)).item_count();
  int tried = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const auto suffix = entry.path().extension().string();
    const bool is_label =
        suffix == ".txt" || suffix == ".csv" || suffix == ".mat" || suffix == ".xlsx" || suffix == ".jpgl";
    if (!is_label || ++tried > 12) continue;
    const std::string content = base::read_file(entry.path());
    std::string junk;
    for (std::size_t i = 0; i < 600; ++i) junk.push_back(static_cast<char>(i * 131 % 251));
    for (const auto& bad :
         {content.substr(0, content.size() / 2), content.substr(0, content.size() - 3), std::string(), junk,
          content.substr(0, content.size() / 3) + junk, std::string("image,score\n1e999,1e999\n")}) {
      std::ofstream(entry.path(), std::ios::binary | std::ios::trunc) << bad;
      const auto source = source_of(GetParam(), root);
      try {
        EXPECT_LE(plan_of(source).item_count(), whole + 1) << entry.path();
      } catch (const base::Error& error) {
        EXPECT_EQ(error.code(), base::ExitCode::kInput);
        EXPECT_THAT(error.what(), HasSubstr(root.string())) << entry.path();
      }
    }
    std::ofstream(entry.path(), std::ios::binary | std::ios::trunc) << content;
  }
  EXPECT_GT(tried, 0);
}

TEST_P(Trees, AnotherFolderIsRefusedByTheFileThatWasLookedFor) {
  const test::ScratchFolder scratch;
  EXPECT_THAT(error_of(source_of(GetParam(), scratch.path())),
              AllOf(HasSubstr("there is no "), HasSubstr("in " + scratch.path().string()),
                    HasSubstr("the folder is empty")));
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const auto& set : benchmarks()) names.push_back(set.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Benchmarks, Trees, testing::ValuesIn(all_names()),
                         [](const auto& one) { return one.param; });

class BenchmarksTest : public testing::Test {
 protected:
  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((scratch_ / name).parent_path());
    base::write_file_atomically(scratch_ / name, text);
  }
  SourceConfig source(const std::string& name) const { return source_of(name, scratch_.path()); }
  fs::path tree(const std::string& name) const {
    const auto folder = test::shared_data() / "data" / "benchmarks" / name;
    const json expected = json::parse(std::ifstream(folder / "expected.json"));
    return folder / expected.at("root").get<std::string>();
  }

  test::ScratchFolder scratch_;
};

TEST_F(BenchmarksTest, BadLabelsCostTheirRowsTheLabelAndAreCountedByKind) {
  write("koniq10k_distributions_sets.csv",
        "image_name,c1,MOS,SD,set\r\na.jpg,0,12.5,0.5,test\r\nb.jpg,0,,0.5,test\r\nc.jpg,0,nan,0.5,test\r\n"
        "d.jpg,0,1e999,-1,test\r\ne.jpg,0,100.5,0.5,test\r\nf.jpg,0,-3,oops,training\r\n"
        "a.jpg,0,99,0.5,test\r\ng.jpg,0,50,0.5,test\r\n");
  for (const auto* name : {"A.JPG", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg"})
    write(fs::path("1024x768") / name, "x");
  const Plan plan = plan_of(source("koniq10k"));
  const auto items = by_id(plan);
  EXPECT_EQ(items.size(), 7U);
  EXPECT_EQ(items.at("1024x768/A.JPG").label, 12.5);
  for (const auto* name : {"b", "c", "d", "e", "f"})
    EXPECT_FALSE(items.at(std::string("1024x768/") + name + ".jpg").label) << name;
  EXPECT_EQ(plan.left_out(),
            (std::map<std::string, std::uint64_t>{{"labels that are missing", 1},
                                                  {"labels that are no finite number", 2},
                                                  {"labels outside 0 to 100", 2},
                                                  {"deviations that are no finite number from 0 on", 2},
                                                  {"rows that name a picture again", 1}}));
  EXPECT_EQ(plan.noted(), (std::map<std::string, std::uint64_t>{{"pictures that are missing", 1}}));
  EXPECT_EQ(to_text(plan.published_sets().front()),
            "koniq10k: 7 of 10,073, 1 picture missing; MOS from 0 to 100, higher is better");
  EXPECT_FALSE(plan.label_scale()->deviations_in_units);

  auto test_part = source("koniq10k");
  test_part.split = "test";
  const Plan part = plan_of(test_part);
  EXPECT_EQ(part.item_count(), 6U);
  EXPECT_THAT(part.left_out(), Contains(Pair("pictures of other splits than test", 1)));
  EXPECT_EQ(part.published_sets().front().published, 2015U);
}

TEST_F(BenchmarksTest, TheSecondTableOfKonIQGivesItsZScores) {
  write("KonIQ10k_Scores_and_Distributions.CSV",
        "\"image_name\",\"MOS\",\"SD\",\"MOS_zscore\"\n\"a.jpg\",3.8,0.5,77.25\n");
  write("512x384/a.jpg", "x");
  auto small = source("koniq10k");
  small.variant = "512x384";
  const Plan plan = plan_of(small);
  EXPECT_EQ(by_id(plan).at("512x384/a.jpg").label, 77.25);
  EXPECT_EQ(plan.noted().size(), 1U);
}

TEST_F(BenchmarksTest, FilesThatGoTogetherMustBeOfOneLength) {
  write("distorted_images/i01_01_1.bmp", "x");
  write("reference_images/i01.bmp", "x");
  write("mos_with_names.txt", "5.1 i01_01_1.bmp\r\n5.2 i01_01_2.bmp\r\n");
  write("mos_std.txt", "0.1\r\n");
  EXPECT_THAT(error_of(source("tid2013")), HasSubstr("mos_std.txt ends before, after 1 lines"));
  write("mos_std.txt", "0.1\n0.2\n0.3\n");
  EXPECT_THAT(error_of(source("tid2013")), HasSubstr("mos_std.txt has 3 lines, and mos_with_names.txt 2"));
  fs::remove(scratch_ / "mos_std.txt");
  const Plan plan = plan_of(source("tid2013"));
  EXPECT_THAT(plan.noted(), Contains(Pair("labels without a deviation, as there is no mos_std.txt", 2)));
  EXPECT_EQ(by_id(plan).at("distorted_images/i01_01_1.bmp").reference, "reference_images/i01.bmp");
}

TEST_F(BenchmarksTest, APictureThatIsMissingIsOneInAnyCase) {
  write("mos_with_names.txt", "5.1 I01_01_1.bmp\n4.2 i01_01_2.bmp\n3.3 i01_02_1.bmp\n2.2 I01_02_1.BMP\n");
  write("distorted_images/I01_01_1.bmp", "x");
  write("distorted_images/I01_01_2.bmp", "x");
  const Plan plan = plan_of(source("tid2013"));
  EXPECT_EQ(plan.item_count(), 3U);
  EXPECT_THAT(plan.left_out(), Contains(Pair("rows that name a picture again", 1)));
  EXPECT_THAT(plan.noted(), Contains(Pair("reference pictures that are missing", 1)));
  // Groups by reference have one for both.
  EXPECT_EQ(by_id(plan).at("distorted_images/I01_01_1.bmp").reference,
            by_id(plan).at("distorted_images/I01_01_2.bmp").reference);
}

TEST_F(BenchmarksTest, NamesNeverLeadOutOfTheFolder) {
  write("images/x.png", "x");
  for (const auto* name : {"../../etc/passwd_01_01.png", "..", "/etc/a_01_01.png", ""}) {
    write("dmos.csv", std::string("dist_img,ref_img,dmos,var\n") + name + ",I01.png,3,0.5\n");
    EXPECT_THAT(error_of(source("kadid10k")),
                AllOf(HasSubstr("dmos.csv:2"), HasSubstr("no name of a picture")))
        << name;
  }
}

TEST_F(BenchmarksTest, ErrorsSayWhichColumnLineOrNameIsWrong) {
  write("dmos.csv", "dist_img,ref_img,dms,var\nI01_01_01.png,I01.png,3,0.5\n");
  EXPECT_THAT(error_of(source("kadid10k")),
              AllOf(HasSubstr("there is no column \"dmos\""), HasSubstr("dms")));
  write("dmos.csv", "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,3\n");
  EXPECT_THAT(error_of(source("kadid10k")), HasSubstr("dmos.csv:2: 3 fields"));
  write("dmos.csv", "dist_img,ref_img,dmos,var\nI01.png,I01.png,3,0.5\n");
  EXPECT_THAT(error_of(source("kadid10k")), HasSubstr("is no name of a distorted picture"));
  write("dmos.csv", "dist_img,ref_img,dmos,var\n");
  EXPECT_THAT(error_of(source("kadid10k")), HasSubstr("its label files hold no row"));
  write("AVA.txt", "1 953619 0 1 5 17 38 36 15 6 5 1 1 22\n");
  EXPECT_THAT(error_of(source("ava")), AllOf(HasSubstr("AVA.txt:1"), HasSubstr("14 columns")));
  write("AVA.txt", "1 953619 0 1 5 17 -38 36 15 6 5 1 1 22 1396\n");
  EXPECT_THAT(error_of(source("ava")), HasSubstr("the votes for score 5 are no count"));
}

TEST_F(BenchmarksTest, HalfADownloadSaysWhichPictureWasLookedFor) {
  write("dmos.csv", "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,3,0.5\n");
  EXPECT_THAT(error_of(source("kadid10k")),
              HasSubstr("none of its 1 pictures is there; looked for images/I01_01_01.png"));
  write("kadis700k_ref_imgs.csv", "ref_im,dist_type_1\na.png,7\n");
  write("ref_imgs/a.png", "x");
  EXPECT_THAT(error_of(source("kadis700k")), HasSubstr("the MATLAB code in the archive fills it"));
}

TEST_F(BenchmarksTest, AFolderTooHighOrTooLowIsNamed) {
  write("kadid10k/dmos.csv", "dist_img,ref_img,dmos,var\n");
  write("kadid10k/images/I01.png", "");
  EXPECT_THAT(error_of(source("kadid10k")), HasSubstr("it lies in kadid10k there"));
  EXPECT_THAT(error_of(source_of("kadid10k", scratch_ / "kadid10k/images")),
              HasSubstr("it lies in " + (scratch_ / "kadid10k").string()));
}

TEST_F(BenchmarksTest, TheSubjectsTrainingPicturesAreNoPartOfLiveInTheWild) {
  QUASAR_REQUIRE_DATA(test::shared_data() / "data/benchmarks/liveitw");
  const Plan plan = plan_of(source_of("liveitw", tree("liveitw")));
  EXPECT_EQ(plan.item_count(), 6U);
  EXPECT_EQ(plan.published_sets().front().published, 1162U);
  EXPECT_THAT(plan.left_out(), Contains(Pair("pictures of other splits than test", 7)));
}

TEST_F(BenchmarksTest, ReferencesAreRowsWhereTheyAreAskedFor) {
  QUASAR_REQUIRE_DATA(test::shared_data() / "data/benchmarks/pipal");
  auto with = source_of("pipal", tree("pipal"));
  with.references = true;
  const Plan plan = plan_of(with);
  EXPECT_EQ(plan.item_count(), 10U);
  EXPECT_EQ(plan.published_sets().front().published, 23400U);
  const auto items = by_id(plan);
  EXPECT_EQ(items.at("Train_Ref/A0060.bmp").reference, "");
  EXPECT_FALSE(items.at("Train_Ref/A0060.bmp").label);
  EXPECT_EQ(items.at("Distortion_2/A0060_03_00.bmp").reference, "Train_Ref/A0060.bmp");
}

TEST_F(BenchmarksTest, MergedFoldersOfPipalAreReadToo) {
  write("Train_Label/A0001.txt", "A0001_00_00.bmp,1520.0648\n");
  write("Train_Dist/A0001_00_00.bmp", "x");
  const Plan plan = plan_of(source("pipal"));
  EXPECT_EQ(by_id(plan).count("Train_Dist/A0001_00_00.bmp"), 1U);
  EXPECT_THAT(plan.noted(), Contains(Pair("reference pictures that are missing", 1)));
}

TEST_F(BenchmarksTest, AADBIsReadFromItsMatlabFileAndItsSmallPicturesToo) {
  QUASAR_REQUIRE_DATA(test::shared_data() / "data/benchmarks/aadb");
  fs::copy_file(tree("aadb") / "AADBinfo.mat", scratch_ / "AADBinfo.mat");
  write("AADB_newtest/0.500_farm1_286_20013434330_d99ab6b9a0_b.jpg", "x");
  write("datasetImages_warp256/farm1_333_19438364933_087c8abc60_b.jpg", "x");
  const Plan plan = plan_of(source("aadb"));
  const auto items = by_id(plan);
  EXPECT_EQ(items.at("AADB_newtest/0.500_farm1_286_20013434330_d99ab6b9a0_b.jpg").split, "test");
  EXPECT_EQ(items.at("datasetImages_warp256/farm1_333_19438364933_087c8abc60_b.jpg").label, 0.65);
  EXPECT_THAT(plan.noted(), Contains(Pair(HasSubstr("validation"), 500)));
}

TEST_F(BenchmarksTest, TheThemesOfTAD66kHaveADivisionOfTheirOwn) {
  QUASAR_REQUIRE_DATA(test::shared_data() / "data/benchmarks/tad66k");
  auto by_theme = source_of("tad66k", tree("tad66k"));
  by_theme.variant = "unmerge";
  by_theme.split = "train";
  const Plan plan = plan_of(by_theme);
  EXPECT_EQ(by_id(plan).at("images/50491163@N0651362142007.jpg").split, "train");
  EXPECT_EQ(plan.published_sets().front().published, 52726U);
}

TEST_F(BenchmarksTest, SPAQIsReadFromACsvOfItsWorkbook) {
  write(
      "Annotations/MOS and Image attribute scores.csv",
      "Image name,MOS,Brightness,Colorfulness,Contrast,Noisiness,Sharpness\r\n00001.jpg,48.86,1,2,3,4,5\r\n");
  write("TestImage/00001.jpg", "x");
  EXPECT_EQ(by_id(plan_of(source("spaq"))).at("TestImage/00001.jpg").label, 48.86);
  write("Annotations/MOS and Image attribute scores.csv",
        "Image "
        "name;MOS;Brightness;Colorfulness;Contrast;Noisiness;Sharpness;;\r\n00001.jpg;47.5;1;2;3;4;5;;\r\n");
  EXPECT_EQ(by_id(plan_of(source("spaq"))).at("TestImage/00001.jpg").label, 47.5);
}

TEST_F(BenchmarksTest, AChangedLabelFileIsNoticed) {
  write("dmos.csv", "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,3,0.5\n");
  write("images/I01_01_01.png", "x");
  CorpusConfig corpus;
  corpus.sources = {source("kadid10k")};
  const Plan plan = Plan::make(corpus);
  EXPECT_EQ(plan.extend(corpus).fingerprint(), plan.fingerprint());
  write("dmos.csv", "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,4,0.5\n");
  try {
    plan.extend(corpus);
    ADD_FAILURE() << "a changed label file was taken";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kMismatch);
    EXPECT_THAT(error.what(), HasSubstr("its label file dmos.csv has changed"));
  }
}

TEST_F(BenchmarksTest, ConfigurationsAreCheckedByName) {
  const std::string root = "root: " + scratch_.path().string();
  EXPECT_THAT(config_error("benchmark: koniq10\n" + root), HasSubstr("did you mean \"koniq10k\"?"));
  EXPECT_THAT(config_error("benchmark: koniq10k"), HasSubstr("\"root\" is missing"));
  EXPECT_THAT(config_error("benchmark: koniq10k\nsplit: train\n" + root),
              AllOf(HasSubstr("there is no split \"train\""), HasSubstr("training")));
  EXPECT_THAT(config_error("benchmark: pieapp\nsplit: val\n" + root), HasSubstr("comparisons of pairs"));
  EXPECT_THAT(config_error("benchmark: spaq\nsplit: test\n" + root), HasSubstr("published without splits"));
  EXPECT_THAT(config_error("benchmark: tad66k\nvariant: unmerged\n" + root),
              HasSubstr("did you mean \"unmerge\"?"));
  EXPECT_THAT(config_error("benchmark: ava\nreferences: true\n" + root),
              HasSubstr("has no reference pictures"));
  EXPECT_THAT(config_error("benchmark: ava\nfields: [a]\n" + root), HasSubstr("fields"));
  const auto config = corpus_config_from_yaml(base::ConfigNode::parse_text(
      "benchmark: koniq10k\nsplit: test\nvariant: 512x384\nname: k\n" + root, "t.yaml"));
  EXPECT_EQ(describe(config.sources.front()),
            R"({"kind":"benchmark","benchmark":"koniq10k","split":"test","variant":"512x384","path":")" +
                scratch_.path().string() + R"(","name":"k"})");
}

}  // namespace
}  // namespace quasar::corpus
