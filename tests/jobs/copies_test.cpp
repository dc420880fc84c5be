// How many altered copies are found, on the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

TEST(CopiesTest, FindsWhatHashesAreMadeForAndSaysWhatTheyMiss) {
  const ScratchFolder scratch;
  const auto photos = scratch / "photos";
  const auto rendered = render_scenes(photos, {"--count", "6", "--width", "200", "--height", "160"});
  ASSERT_EQ(rendered.status, 0) << rendered.output;
  write_text(photos / "broken.jpg", "no picture");
  const auto json = scratch / "recall.json";
  const std::vector<std::string> command = {"copies", photos.string(), "--count", "8",
                                            "--bits", "31,60,256",     "--json",  json.string()};
  const auto outcome = run_quasar(command);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("6 of 6 photos altered; false positives among 15 pairs of 6 photos"));
  EXPECT_THAT(outcome.output, HasSubstr("left out, unknown_format: 1"));
  EXPECT_THAT(outcome.output, HasSubstr("| PDQ, 8 poses <= 31 |"));

  const auto found = nlohmann::json::parse(quasar::base::read_file(json));
  ASSERT_EQ(found.at("searches").size(), 6U);
  const auto& upright = found.at("searches").at(0);
  const auto& posed = found.at("searches").at(4);
  EXPECT_EQ(upright.at("threshold"), 31);
  EXPECT_EQ(upright.at("recall_by_alteration").size(), 40U);
  EXPECT_EQ(upright.at("recall_by_alteration").at("jpeg 90"), 1.0);
  EXPECT_GT(upright.at("recall").at("recompressed, scaled, tone, blur, noise"), 0.9);
  EXPECT_EQ(upright.at("recall").at("mirrored, turned by 90, 180, 270 degrees"), 0.0);
  EXPECT_GT(posed.at("recall").at("mirrored, turned by 90, 180, 270 degrees"), 0.8);
  EXPECT_EQ(upright.at("false_positives"), 0);
  // No two pictures differ in more bits than there are.
  EXPECT_EQ(found.at("searches").at(2).at("false_positives"), 15);
  for (const auto& [kind, recall] : found.at("searches").at(2).at("recall_by_alteration").items())
    EXPECT_EQ(recall, 1.0) << kind;
  ASSERT_EQ(found.at("nearest").size(), 2U);
  EXPECT_GT(found.at("nearest").at(0).at("value"), 31);
  // The same figures again.
  ASSERT_EQ(run_quasar(command).status, 0);
  EXPECT_EQ(nlohmann::json::parse(quasar::base::read_file(json)), found);
}

TEST(CopiesTest, AnEncodersCosineIsMeasuredAtTheConfigurationsThresholdOrThoseGiven) {
  const ScratchFolder scratch;
  const auto photos = scratch / "photos";
  ASSERT_EQ(render_scenes(photos, {"--count", "3", "--width", "96", "--height", "96"}).status, 0);
  write_text(scratch / "encoder.yaml",
             "run: run\ncorpus:\n  sources: [{directory: photos}]\nencoder: {architecture: mini}\n");
  const auto config = (scratch / "encoder.yaml").string();
  const auto outcome = run_quasar({"copies", photos.string(), "--count", "1", "--encoder", config});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("| cosine >= 0.95 |"));
  EXPECT_THAT(outcome.output, HasSubstr("1 of 3 photos altered"));
  const auto given = run_quasar({"copies", photos.string(), "--count", "1", "--encoder", config, "--bits",
                                 "31", "--cosine", "-1,0.9999999"});
  ASSERT_EQ(given.status, 0) << given.output;
  EXPECT_THAT(given.output, HasSubstr("| PDQ <= 31 | PDQ, 8 poses <= 31 | cosine >= -1 | cosine >= 1 |"));
  EXPECT_THAT(given.output, HasSubstr("nearest distinct photos by cosine: "));
  EXPECT_FALSE(fs::exists(scratch / "run"));
}

TEST(CopiesTest, RefusesThresholdsWithoutAnEncoderAndFoldersWithoutAPicture) {
  const ScratchFolder scratch;
  fs::create_directories(scratch / "empty");
  const auto none = run_quasar({"copies", (scratch / "empty").string()});
  EXPECT_NE(none.status, 0);
  const auto no_encoder = run_quasar({"copies", (scratch / "empty").string(), "--cosine", "0.9"});
  EXPECT_EQ(no_encoder.status, 2) << no_encoder.output;
  EXPECT_THAT(no_encoder.output, HasSubstr("--encoder"));
  fs::create_directories(scratch / "broken");
  write_text(scratch / "broken" / "a.jpg", "no picture");
  const auto broken = run_quasar({"copies", (scratch / "broken").string()});
  EXPECT_EQ(broken.status, 8) << broken.output;
  EXPECT_THAT(broken.output, HasSubstr("1 unknown_format"));
  EXPECT_EQ(run_quasar({"copies", (scratch / "absent").string()}).status, 2);
}

}  // namespace
