// Two that want one lock: the second waits or is told so, until the first has ended, in whatever way.
#include "base/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::base {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
namespace fs = std::filesystem;

constexpr LockTimes kImpatient{std::chrono::milliseconds(20), std::chrono::milliseconds(1000)};

/// Runs `work` in a child that is another user, and passes its failures on.
void as_user(unsigned user, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(2);
    work();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

std::string refusal(const std::filesystem::path& path) {
  try {
    const FileLock lock(path, "another has it", kImpatient);
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
  EXPECT_THAT(refusal(path), StartsWith("another has it (it is held by "));
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
  EXPECT_THAT(refusal(path), StartsWith("another has it (it is held by "));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(refusal(path), "");
}

TEST(FileLock, IsAnErrorWhereItsFileCannotBeMade) {
  const test::ScratchFolder folder;
  const auto text = refusal(folder / "none" / "lock");
  EXPECT_THAT(text, HasSubstr((folder / "none" / "lock").string()));
  EXPECT_THAT(text, HasSubstr("No such file"));
}

TEST(FileLock, SaysWhoseTheFileIsThatMayNotBeOpened) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be two users";
  const test::ScratchFolder folder;
  fs::permissions(folder.path(), fs::perms(0777));
  std::ofstream(folder / "lock") << "";
  fs::permissions(folder / "lock", fs::perms(0644));
  as_user(12345, [&] {
    const auto text = refusal(folder / "lock");
    EXPECT_THAT(text, HasSubstr("Permission denied"));
    EXPECT_THAT(text, HasSubstr("belongs to root (group root, mode 0644), this job to 12345"));
    EXPECT_THAT(text, HasSubstr("umask 002"));
  });
}

TEST(FileLock, ItsFilesAreTheGroupsWhereTheUmaskSaysSo) {
  const test::ScratchFolder folder;
  const auto before = ::umask(002);
  {
    const FileLock lock(folder / "lock");
    for (const char* name : {"lock", "lock.owner"})
      EXPECT_EQ(fs::status(folder / name).permissions(), fs::perms(0664)) << name;
  }
  ::umask(before);
  EXPECT_FALSE(fs::exists(folder / "lock.owner"));
}

/// A record of a process of another machine.
std::string foreign_record(int beats) {
  return "user=ann\nhost=far\nmachine=ffffffff\nprocess=17\nstarted=1\njob=45\nsince=then\nlock=0\nbeat_ms="
         "20\n"
         "beats=" +
         std::to_string(beats) + "\n";
}

TEST(FileLock, AnotherHostsRecordThatIsRewrittenKeepsOut) {
  // The file system's lock is free: those of other hosts cannot be seen.
  const test::ScratchFolder folder;
  std::atomic<bool> ending = false;
  std::thread holder([&] {
    for (int beats = 1000; !ending; ++beats) {
      write_file_atomically(folder / "lock.owner", foreign_record(beats));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  while (!fs::exists(folder / "lock.owner")) std::this_thread::yield();
  EXPECT_THAT(refusal(folder / "lock"),
              StartsWith("another has it (it is held by ann on far, process 17, Slurm job 45, since then"));
  ending = true;
  holder.join();
}

TEST(FileLock, ARecordThatADeadHostLeftIsReplacedAfterAWhile) {
  for (const std::string& record : {foreign_record(1000), std::string(), std::string("nonsense")}) {
    const test::ScratchFolder folder;
    std::ofstream(folder / "lock.owner") << record;
    EXPECT_EQ(refusal(folder / "lock"), "") << record;
    EXPECT_FALSE(fs::exists(folder / "lock.owner"));
  }
}

TEST(FileLock, BeatsAsLongAsItIsHeld) {
  const test::ScratchFolder folder;
  const FileLock lock(folder / "lock", kImpatient);
  const auto first = read_file(folder / "lock.owner");
  for (int i = 0; i < 500 && read_file(folder / "lock.owner") == first; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const auto second = read_file(folder / "lock.owner");
  EXPECT_NE(second, first);
  EXPECT_EQ(second.size(), first.size());
}

TEST(FileLock, OneThatWasTakenAwayIsNotConfirmedAndLeavesTheOthersRecord) {
  const test::ScratchFolder folder;
  {
    const FileLock lock(folder / "lock");
    lock.confirm();
    write_file_atomically(folder / "lock.owner", foreign_record(1));
    try {
      lock.confirm();
      FAIL() << "confirmed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kOutput);
      EXPECT_THAT(error.what(), HasSubstr("by ann on far"));
    }
  }
  EXPECT_EQ(read_file(folder / "lock.owner"), foreign_record(1));
}

TEST(LockRecord, IsClaimedByOneOfManyThatFindADeadOne) {
  const test::ScratchFolder folder;
  std::ofstream(folder / "owner") << foreign_record(7);
  constexpr int kThreads = 8;
  std::atomic<int> holders = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      LockRecord record(folder / "owner", kImpatient);
      if (!record.claim()) ++holders;
      // All are there until each has tried.
      static std::barrier all(kThreads);
      all.arrive_and_wait();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(holders, 1);
}

}  // namespace
}  // namespace quasar::base
