// Two that want one lock: the second waits or is told so, until the first has ended, in whatever way.
#include "base/file_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::base {
namespace {

std::string refusal(const std::filesystem::path& path) {
  try {
    const FileLock lock(path, "another has it");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kOutput);
    return error.what();
  }
  return "";
}

TEST(FileLock, HoldsAsLongAsItLives) {
  const test::ScratchFolder folder;
  const auto path = folder / "lock";
  std::optional<FileLock> first(std::in_place, path, "");
  EXPECT_EQ(refusal(path), "another has it");
  first.reset();
  EXPECT_EQ(refusal(path), "");
}

TEST(FileLock, EndsWithAProcessThatIsKilled) {
  const test::ScratchFolder folder;
  const auto path = folder / "lock";
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FileLock lock(path);
    if (::write(ends[1], "x", 1) == 1) ::pause();
    ::_exit(1);
  }
  char held = 0;
  ASSERT_EQ(::read(ends[0], &held, 1), 1);
  EXPECT_EQ(refusal(path), "another has it");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(refusal(path), "");
}

TEST(FileLock, WhereNoFileCanBeMadeThereIsNone) {
  const test::ScratchFolder folder;
  EXPECT_EQ(refusal(folder / "none" / "lock"), "");
}

}  // namespace
}  // namespace quasar::base
