#include "base/shipped_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "base/config_node.h"
#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::base {
namespace {

namespace fs = std::filesystem;

/// Works in an empty folder, with another as the folder of what ships.
class ShippedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    before_ = fs::current_path();
    fs::create_directories(scratch_ / "here");
    fs::create_directories(scratch_ / "data" / "anchors");
    fs::current_path(scratch_ / "here");
    ::setenv("QUASAR_DATA_DIR", (scratch_ / "data").c_str(), 1);
    std::ofstream(scratch_ / "data" / "anchors" / "a.h5") << "shipped";
  }
  void TearDown() override {
    ::unsetenv("QUASAR_DATA_DIR");
    fs::current_path(before_);
  }

  test::ScratchFolder scratch_;
  fs::path before_;
};

TEST_F(ShippedFileTest, IsFoundFromAnyFolder) {
  EXPECT_EQ(find_shipped_file("anchors/a.h5"), scratch_ / "data" / "anchors" / "a.h5");
  EXPECT_EQ(resolve_input_file("anchors/a.h5"), scratch_ / "data" / "anchors" / "a.h5");
}

TEST_F(ShippedFileTest, TheWorkingDirectoryComesFirstForAConfigurationsPath) {
  fs::create_directories("anchors");
  std::ofstream("anchors/a.h5") << "mine";
  EXPECT_EQ(resolve_input_file("anchors/a.h5"), "anchors/a.h5");
}

TEST_F(ShippedFileTest, WhatIsNowhereKeepsItsNameOrIsAnError) {
  EXPECT_EQ(resolve_input_file("anchors/no-such.h5"), "anchors/no-such.h5");
  EXPECT_EQ(resolve_input_file("/anchors/a.h5"), "/anchors/a.h5");
  EXPECT_THROW(find_shipped_file("anchors/no-such.h5"), Error);
}

TEST_F(ShippedFileTest, AFolderThatIsNotThereIsAnErrorThatNamesIt) {
  const std::string gone = (scratch_ / "gone").string();
  ::setenv("QUASAR_DATA_DIR", gone.c_str(), 1);
  try {
    resolve_input_file("anchors/a.h5");
    FAIL() << "QUASAR_DATA_DIR was passed over";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_EQ(std::string(error.what()).find("QUASAR_DATA_DIR: there is no folder " + gone), 0U);
  }
  EXPECT_THROW(find_shipped_file("anchors/a.h5"), Error);
  EXPECT_EQ(resolve_input_file("/anchors/a.h5"), "/anchors/a.h5");
  ::setenv("QUASAR_DATA_DIR", "", 1);
  EXPECT_EQ(resolve_input_file("anchors/no-such.h5"), "anchors/no-such.h5");
}

TEST_F(ShippedFileTest, AConfigurationIsFoundToo) {
  fs::create_directories(scratch_ / "data" / "configs");
  std::ofstream(scratch_ / "data" / "configs" / "c.yaml") << "a: 1\n";
  const auto root = ConfigNode::parse_file("configs/c.yaml");
  EXPECT_EQ(root.require<int>("a"), 1);
  EXPECT_EQ(root.where(), (scratch_ / "data" / "configs" / "c.yaml").string() + ":1:1");
}

}  // namespace
}  // namespace quasar::base
