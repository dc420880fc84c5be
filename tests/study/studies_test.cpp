// The studies that ship: each is a grid whose every cell is a valid configuration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "base/errors.h"
#include "study/study_config.h"
#include "support/test_data.h"

namespace quasar::study {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> study_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(test::source_dir() / "configs" / "studies")) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A folder with an empty stand-in for every file and folder that a study names, as working directory.
class ShippedStudies : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    before_ = fs::current_path();
    fs::current_path(scratch_ / "");
    std::ifstream file(path());
    std::stringstream text;
    text << file.rdbuf();
    text_ = text.str();
    for_each_match(R"((?:root|directory): ([\w./-]+))",
                   [](const std::string& folder) { fs::create_directories(folder); });
    for_each_match(R"((?:weights|vocabulary): ([\w./-]+))", [](const std::string& name) {
      if (const auto folder = fs::path(name).parent_path(); !folder.empty()) fs::create_directories(folder);
      std::ofstream(name) << "stand-in";
    });
  }
  void TearDown() override { fs::current_path(before_); }

  template <typename Take>
  void for_each_match(const char* pattern, const Take& take) const {
    const std::regex expression(pattern);
    for (std::sregex_iterator at(text_.begin(), text_.end(), expression), end; at != end; ++at)
      take(at->str(1));
  }
  static fs::path path() { return test::source_dir() / "configs" / "studies" / (GetParam() + ".yaml"); }

  test::ScratchFolder scratch_;
  fs::path before_;
  std::string text_;
};

INSTANTIATE_TEST_SUITE_P(All, ShippedStudies, testing::ValuesIn(study_names()), [](const auto& one) {
  return std::regex_replace(one.param, std::regex("[^A-Za-z0-9]"), "_");
});

TEST_P(ShippedStudies, IsAGridOfValidCells) {
  const auto config = load_study(path(), {});
  std::size_t combinations = 1;
  for (const auto& axis : config.axes) combinations *= axis.levels.size();
  ASSERT_FALSE(config.cells.empty());
  EXPECT_EQ(config.cells.size() + config.excluded, combinations);
  std::set<std::vector<std::size_t>> places;
  for (const auto& cell : config.cells) {
    EXPECT_EQ(cell.config.anchors.size(), 1U) << describe(config, cell);
    EXPECT_FALSE(cell.corpus.empty());
    EXPECT_FALSE(cell.embedder.empty());
    places.insert(cell.levels);
  }
  EXPECT_EQ(places.size(), config.cells.size());
  EXPECT_LT(config.axis(config.rows), config.axes.size());
  EXPECT_LT(config.axis(config.columns), config.axes.size());
}

TEST_P(ShippedStudies, RefusesAKeyThatNoCellKnows) {
  try {
    load_study(path(), {"embed.decode_thread=2"});
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    EXPECT_THAT(error.what(), testing::HasSubstr("decode_thread"));
  }
}

}  // namespace
}  // namespace quasar::study
