#include "base/shipped_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

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

}  // namespace
}  // namespace quasar::base
