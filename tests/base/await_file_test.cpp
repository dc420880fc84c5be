// Waiting for what another process has written.
#include "base/await_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::base {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(AwaitFile, ReturnsWhenTheFileIsThere) {
  const test::ScratchFolder scratch;
  const auto path = scratch / "folder" / "file";
  std::thread writer([&] {
    std::this_thread::sleep_for(150ms);
    make_directories(path.parent_path());
    write_file_atomically(path, "x");
  });
  await_file(path, {.limit = 60s});
  EXPECT_EQ(read_file(path), "x");
  writer.join();
}

TEST(AwaitFile, ReturnsWhenTheFileIsTheNewOne) {
  const test::ScratchFolder scratch;
  const auto path = scratch / "file";
  write_file_atomically(path, "old");
  std::thread writer([&] {
    std::this_thread::sleep_for(150ms);
    write_file_atomically(path, "new");
  });
  await_file(path, [&] { return read_file(path) == "new"; }, {.limit = 60s});
  EXPECT_EQ(read_file(path), "new");
  writer.join();
}

TEST(AwaitFile, SaysInTheEndWhatMayBeWrong) {
  const test::ScratchFolder scratch;
  int looks = 0;
  try {
    await_file(scratch / "none", {.limit = 300ms, .between = [&] { ++looks; }});
    FAIL() << "it is there";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr((scratch / "none").string()));
    EXPECT_THAT(error.what(), HasSubstr("lookupcache=positive"));
  }
  EXPECT_GT(looks, 1);
}

TEST(AwaitFile, EndsWhenItIsAskedTo) {
  const test::ScratchFolder scratch;
  EXPECT_THROW(await_file(scratch / "none", {.between = [] { fail(ExitCode::kInterrupted, "stop"); }}),
               Error);
}

TEST(IsThereAnew, TellsWhetherItIs) {
  const test::ScratchFolder scratch;
  std::ofstream(scratch / "file") << "x";
  EXPECT_TRUE(is_there_anew(scratch / "file"));
  EXPECT_FALSE(is_there_anew(scratch / "none"));
  EXPECT_FALSE(is_there_anew(scratch / "none" / "file"));
}

}  // namespace
}  // namespace quasar::base
