// The report of a ranking, and the explanation of one row, as a user meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "distort/scenes.h"
#include "distort/write_image.h"
#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar;
using namespace quasar::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

TEST(ReportTest, IsTheSameOnAnyNumberOfRanksAndWithoutRanking) {
  const ScratchFolder scratch;
  const auto pictures = scratch / "pictures";
  fs::create_directories(pictures);
  for (int i = 0; i < 8; ++i) {
    const auto name = pictures / ("scene-" + std::to_string(i) + ".png");
    distort::write_png(distort::render_scene(200, 150, 40 + static_cast<std::uint64_t>(i)), name);
    if (i < 3) fs::copy_file(name, pictures / ("<script>copy " + std::to_string(i) + ".png"));
  }
  // Long and thin, so that its thumbnail is cut down on both sides.
  distort::write_png(distort::render_scene(900, 90, 7), pictures / "strip.png");
  write_text(pictures / "<script>broken.png", "no picture");
  const auto run = scratch / "run";
  const auto config = (scratch / "run.yaml").string();
  write_text(
      config,
      "run: " + run.string() + "\ncorpus: {directory: " + pictures.string() +
          ", shard_size: 3}\nanchors: {quality: " + (source_dir() / "anchors" / "mini-quality.h5").string() +
          "}\ncuration:\n  duplicates: {exact: true}\n  filters: {wide: {column: width, at_least: "
          "100}}\n  keep: {top_k: 5}\n");
  const auto outcome = run_quasar({"run", config}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto report = content(run / "report.html");
  EXPECT_THAT(report, AllOf(Not(HasSubstr("<script")), HasSubstr("&lt;script&gt;broken.png"),
                            HasSubstr("data:image/jpeg;base64,"), HasSubstr("Copies of one picture"),
                            HasSubstr("At the cut"), HasSubstr("unknown_format")));
  for (const int ranks : {1, 3}) {
    ASSERT_EQ(run_quasar({"rank", config}, ranks).status, 0);
    EXPECT_EQ(content(run / "report.html"), report) << ranks;
  }
  const auto summary = content(run / "summary.json");
  for (const int ranks : {0, 3}) {
    fs::remove(run / "report.html");
    const auto again = run_quasar({"report", run.string()}, ranks);
    ASSERT_EQ(again.status, 0) << again.output;
    EXPECT_EQ(content(run / "report.html"), report) << ranks;
    EXPECT_EQ(content(run / "summary.json"), summary) << ranks;
  }

  const auto told = run_quasar({"explain", run.string(), "scene-0.png", "--json"});
  ASSERT_EQ(told.status, 0) << told.output;
  const auto json = nlohmann::json::parse(told.output);
  EXPECT_EQ(json.at("image").at("width"), 200);
  EXPECT_EQ(json.at("filters").at(0).at("passes"), true);
  EXPECT_EQ(json.at("filters").at(0).at("value"), "200");
  EXPECT_EQ(json.at("duplicates").at("group_size"), 2);
  EXPECT_EQ(json.at("keep_rule").at("kept_rows"), 5);
  ASSERT_FALSE(json.at("nearest_kept").empty());
  EXPECT_LE(json.at("nearest_kept").size(), 5U);
  const auto text = run_quasar({"explain", run.string(), "<script>broken.png"});
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.output,
              AllOf(HasSubstr("dropped: status: unknown_format"), Not(HasSubstr("nearest kept"))));
  const auto unknown = run_quasar({"explain", run.string(), "scene-00.png"});
  EXPECT_EQ(unknown.status, 4);
  EXPECT_THAT(unknown.output, HasSubstr("did you mean \"scene-0"));

  // The pictures are gone, which the page says; status and verify go by the new one.
  fs::rename(pictures, scratch / "elsewhere");
  const auto gone = run_quasar({"report", run.string()});
  ASSERT_EQ(gone.status, 0) << gone.output;
  EXPECT_THAT(content(run / "report.html"),
              AllOf(Not(HasSubstr("data:image/jpeg")), HasSubstr("class=\"none\"")));
  EXPECT_NE(content(run / "summary.json"), summary);

  write_text(run / "manifest.jsonl", "{}\n");
  EXPECT_EQ(run_quasar({"report", run.string()}).status, 6);
}

}  // namespace
