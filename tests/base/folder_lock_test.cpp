// Two jobs at one folder: the second is told so, until the first has ended, in whatever way.
#include "base/folder_lock.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::base {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const std::filesystem::path& folder) {
  try {
    const FolderLock lock(folder, "being ranked");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kOutput);
    return error.what();
  }
  return "";
}

TEST(FolderLock, HoldsAsLongAsItLives) {
  const test::ScratchFolder folder;
  std::optional<FolderLock> first(std::in_place, folder.path(), "being ranked");
  EXPECT_THAT(refusal(folder.path()),
              AllOf(HasSubstr(folder.path().string() + " is being ranked"), HasSubstr("by another job")));
  first.reset();
  EXPECT_EQ(refusal(folder.path()), "");
}

TEST(FolderLock, EndsWithAProcessThatIsKilled) {
  const test::ScratchFolder folder;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(folder.path(), "being ranked");
    if (::write(ends[1], "x", 1) == 1) ::pause();
    ::_exit(1);
  }
  char held = 0;
  ASSERT_EQ(::read(ends[0], &held, 1), 1);
  EXPECT_NE(refusal(folder.path()), "");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(refusal(folder.path()), "");
}

}  // namespace
}  // namespace quasar::base
