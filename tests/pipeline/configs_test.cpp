// The configurations that ship: each is valid as it stands and with every commented key put in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>

#include "base/errors.h"
#include "pipeline/run_config.h"
#include "preset_text.h"
#include "support/test_data.h"

namespace quasar::pipeline {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::vector<std::string> config_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(test::source_dir() / "configs")) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A folder with an empty stand-in for every file that the configurations name, as working directory.
class ShippedConfigs : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    before_ = fs::current_path();
    fs::current_path(scratch_ / "");
    for (const char* folder : {"good-photos", "anchors", "koniq10k", "PIPAL"}) fs::create_directories(folder);
    std::ofstream("anchors/mini-quality.h5") << "stand-in";
    std::ofstream("images.csv") << "path\na.jpg\n";
    std::ofstream("rated.csv") << "path,mos\na.jpg,1\n";
  }
  void TearDown() override { fs::current_path(before_); }

  static void add_weights() {
    fs::create_directories("weights");
    const std::regex weights(R"(weights/[\w.-]+)");
    const std::string text = test::preset_text(file());
    for (std::sregex_iterator at(text.begin(), text.end(), weights), end; at != end; ++at)
      std::ofstream(at->str()) << "stand-in";
  }
  static std::string file() { return GetParam() + ".yaml"; }
  static fs::path path() { return test::source_dir() / "configs" / file(); }

  test::ScratchFolder scratch_;
  fs::path before_;
};

INSTANTIATE_TEST_SUITE_P(All, ShippedConfigs, testing::ValuesIn(config_names()), [](const auto& one) {
  return std::regex_replace(one.param, std::regex("[^A-Za-z0-9]"), "_");
});

TEST_P(ShippedConfigs, IsValidAsItStands) {
  add_weights();
  const auto config = load_run_config(path(), {});
  EXPECT_FALSE(config.anchors.empty());
}

TEST_P(ShippedConfigs, NamesOnlyKeysThatExistInItsComments) {
  add_weights();
  const auto text = test::uncommented(test::preset_text(file()));
  std::ofstream("all-keys.yaml") << text;
  EXPECT_NO_THROW(load_run_config("all-keys.yaml", {})) << text;
}

TEST_P(ShippedConfigs, SaysWhichWeightsAreMissing) {
  if (test::preset_text(file()).find("weights: weights/") == std::string::npos)
    GTEST_SKIP() << "needs no download";
  try {
    load_run_config(path(), {});
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    EXPECT_THAT(error.what(),
                testing::AllOf(HasSubstr("encoder.weights"), HasSubstr("there is no file weights/")));
  }
}

TEST(PublishedEncoders, HaveOneConfigurationEach) {
  for (const char* name : {"clip-rn50", "clip-rn50-nopos", "vit-l-14", "vit-h-14", "vit-bigg-14",
                           "coca-vit-l-14", "dinov2-vit-l-14", "siglip2-vit-b-16-224", "siglip2-vit-l-16-256",
                           "dinov3-vit-b-16", "dinov3-vit-l-16"}) {
    const std::string text = test::preset_text(std::string(name) + ".yaml");
    EXPECT_THAT(text, HasSubstr("\n  architecture: " + std::string(name) + "\n"));
    EXPECT_THAT(text, HasSubstr("# Memory:"));
    EXPECT_THAT(text, HasSubstr("tools/fetch-weights " + std::string(name)));
  }
}

}  // namespace
}  // namespace quasar::pipeline
