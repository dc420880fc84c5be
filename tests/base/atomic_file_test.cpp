#include "base/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::base {
namespace {

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

TEST(AtomicFile, AppearsOnCommitOnly) {
  const test::ScratchFolder scratch;
  {
    AtomicFile file(scratch / "a.txt");
    file.write("hello");
    EXPECT_FALSE(std::filesystem::exists(scratch / "a.txt"));
    file.commit();
  }
  EXPECT_EQ(read_file(scratch / "a.txt"), "hello");
  EXPECT_EQ(files_in(scratch.path()), 1U);
}

TEST(AtomicFile, LeavesNothingWhenAbandoned) {
  const test::ScratchFolder scratch;
  { AtomicFile(scratch / "a.txt").write("x"); }
  EXPECT_EQ(files_in(scratch.path()), 0U);
}

TEST(AtomicFile, UnwritableFolderIsAnOutputError) {
  try {
    write_file_atomically("/proc/nothing/a.txt", "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kOutput);
    EXPECT_NE(std::string(error.what()).find("/proc/nothing/a.txt"), std::string::npos);
  }
}

TEST(AtomicFile, ReadFileRefusesMoreThanAllowed) {
  const test::ScratchFolder scratch;
  write_file_atomically(scratch / "a", std::string(100, 'x'));
  EXPECT_THROW(read_file(scratch / "a", 99), Error);
  EXPECT_EQ(read_file(scratch / "a", 100).size(), 100U);
}

TEST(AtomicFile, TemporariesOfDeadProcessesAreRemovedAndLiveOnesKept) {
  const test::ScratchFolder scratch;
  const pid_t child = ::fork();
  if (child == 0) {
    std::ofstream(temporary_name(scratch / "dead.h5")) << "x";
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  std::ofstream(temporary_name(scratch / "live.h5")) << "x";
  std::ofstream(scratch / "kept.h5") << "x";
  ASSERT_EQ(files_in(scratch.path()), 3U);
  remove_stale_temporaries(scratch.path());
  EXPECT_EQ(files_in(scratch.path()), 2U);
}

}  // namespace
}  // namespace quasar::base
