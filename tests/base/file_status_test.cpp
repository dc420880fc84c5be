#include "base/file_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::base {
namespace {

namespace fs = std::filesystem;

TEST(FileStatus, TellsWhatLiesThere) {
  const test::ScratchFolder scratch;
  std::ofstream(scratch / "file") << "x";
  fs::create_symlink(scratch / "file", scratch / "link");
  EXPECT_EQ(file_status(scratch.path()).type(), fs::file_type::directory);
  EXPECT_EQ(file_status(scratch / "link").type(), fs::file_type::regular);
  EXPECT_EQ(file_status(scratch / "none").type(), fs::file_type::not_found);
  EXPECT_EQ(file_status(scratch / "file" / "below").type(), fs::file_type::not_found);
}

TEST(FileStatus, WhatCannotBeToldIsAnErrorWithItsReason) {
  const test::ScratchFolder scratch;
  fs::create_symlink("loop", scratch / "loop");
  try {
    file_status(scratch / "loop", "c.yaml:3:1: corpus.directory");
    FAIL() << "a loop of links was taken for something";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), testing::StartsWith("c.yaml:3:1: corpus.directory: cannot look at "));
    EXPECT_THAT(error.what(), testing::HasSubstr("symbolic links"));
  }
}

}  // namespace
}  // namespace quasar::base
