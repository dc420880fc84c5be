// Run directories on file systems that are not like the one of a laptop: shared by the members of a group,
// without locks, with caches that show a file late.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/file_lock.h"
#include "base/sanitized.h"
#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

constexpr gid_t kGroup = 54321;
constexpr uid_t kAnn = 51001;
constexpr uid_t kBob = 51002;

/// Goes on as a member of the group, in a child. What `work` returns is the child's exit status.
pid_t start_as(uid_t user, const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::umask(002);
  // A user without a name has no home, without which MPI crashes.
  ::setenv("HOME", fs::temp_directory_path().c_str(), 1);
  if (::setgroups(1, &kGroup) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(99);
  ::_exit(work());
}

int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

class SharedFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto outcome =
        render_scenes(scratch_ / "pictures", {"--count", "12", "--width", "96", "--height", "80"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    fs::create_directory(folder());
    ASSERT_EQ(::chown(folder().c_str(), static_cast<uid_t>(-1), ::geteuid() == 0 ? kGroup : ::getegid()), 0);
    ASSERT_EQ(::chmod(folder().c_str(), 02775), 0);
    ASSERT_EQ(::chmod(scratch_.path().c_str(), 0755), 0);
  }

  fs::path folder() const { return scratch_.path() / "shared"; }
  fs::path run() const { return folder() / "run"; }

  std::string config(const std::string& name, const std::string& keep) {
    auto path = (scratch_ / (name + ".yaml")).string();
    write_text(path, "run: " + run().string() + "\ncorpus: {directory: " + (scratch_ / "pictures").string() +
                         ", shard_size: 3}\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() + "}\ncuration: {keep: {" +
                         keep + "}}\n");
    return path;
  }

  /// The output and exit status of the program as a member of the group runs it.
  Outcome as(uid_t user, const std::vector<std::string>& arguments) {
    const auto output = folder() / ("output-" + std::to_string(user));
    const int status = wait_for(start_as(user, [&] {
      const auto outcome = run_quasar(arguments);
      write_text(output, outcome.output);
      return outcome.status;
    }));
    return {status, content(output)};
  }

  std::string manifest_keep() {
    return nlohmann::json::parse(content(run() / "summary.json"))["config"]["keep"].dump();
  }

  ScratchFolder scratch_;
};

#define QUASAR_NEEDS_ROOT() \
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be two users"

TEST_F(SharedFolderTest, MembersOfAGroupWorkOnOneRunInTurn) {
  QUASAR_NEEDS_ROOT();
  const auto anns = config("ann", "top_k: 2");
  const auto bobs = config("bob", "top_k: 7");
  const auto first = as(kAnn, {"run", anns});
  if (first.status == 127) GTEST_SKIP() << "the program lies where another user may not go";
  ASSERT_EQ(first.status, 0) << first.output;
  for (const auto& entry : fs::recursive_directory_iterator(run())) {
    struct stat status {};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_gid, kGroup) << entry.path();
    // Of the state, locks are for all.
    if (entry.path().parent_path().filename() == "state" && entry.path().extension() != ".lock") continue;
    EXPECT_EQ(status.st_mode & 0060U, 0060U) << entry.path();
    EXPECT_TRUE(!entry.is_directory() || (status.st_mode & S_ISGID) != 0) << entry.path();
  }
  // Ann ranks, for as long as it takes.
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t ann = start_as(kAnn, [&] {
    const quasar::base::FileLock lock(run() / "state" / "rank.lock");
    if (::write(ends[1], "x", 1) == 1) ::pause();
    return 0;
  });
  char held = 0;
  ASSERT_EQ(::read(ends[0], &held, 1), 1);
  const auto refused = as(kBob, {"rank", bobs});
  EXPECT_EQ(refused.status, 5) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("is being ranked by another job"));
  EXPECT_THAT(refused.output, HasSubstr("held by " + std::to_string(kAnn) + " on "));
  EXPECT_EQ(manifest_keep(), R"({"top_k":2})");
  ::kill(ann, SIGKILL);
  wait_for(ann);
  const auto ranked = as(kBob, {"rank", bobs});
  EXPECT_EQ(ranked.status, 0) << ranked.output;
  EXPECT_EQ(manifest_keep(), R"({"top_k":7})");
  EXPECT_EQ(as(kAnn, {"rank", anns}).status, 0);
  EXPECT_FALSE(fs::exists(run() / "tmp"));
}

TEST_F(SharedFolderTest, TwoRankingsAtOnceAreNeverMixed) {
  QUASAR_NEEDS_ROOT();
  const auto anns = config("ann", "top_k: 2");
  const auto bobs = config("bob", "top_k: 7");
  const auto first = as(kAnn, {"run", anns});
  if (first.status == 127) GTEST_SKIP() << "the program lies where another user may not go";
  ASSERT_EQ(first.status, 0) << first.output;
  for (int round = 0; round < 4; ++round) {
    const pid_t ann = start_as(kAnn, [&] { return run_quasar({"rank", anns}).status; });
    const pid_t bob = start_as(kBob, [&] { return run_quasar({"rank", bobs}).status; });
    const int anns_end = wait_for(ann);
    const int bobs_end = wait_for(bob);
    EXPECT_TRUE(anns_end == 0 || bobs_end == 0);
    EXPECT_TRUE((anns_end == 0 || anns_end == 5) && (bobs_end == 0 || bobs_end == 5)) << anns_end << bobs_end;
    EXPECT_THAT(run_quasar({"status", run().string()}).output, Not(HasSubstr("is not the file")));
  }
}

TEST_F(SharedFolderTest, ALockOfAnotherUserThatMayNotBeOpenedIsAnErrorWithItsCure) {
  QUASAR_NEEDS_ROOT();
  const auto path = config("ann", "top_k: 2");
  const auto first = as(kAnn, {"run", path});
  if (first.status == 127) GTEST_SKIP() << "the program lies where another user may not go";
  ASSERT_EQ(first.status, 0) << first.output;
  fs::permissions(run() / "state" / "rank.lock", fs::perms(0644));
  const auto refused = as(kBob, {"rank", path});
  EXPECT_EQ(refused.status, 5) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("rank.lock: Permission denied"));
  EXPECT_THAT(refused.output, HasSubstr("belongs to " + std::to_string(kAnn)));
  EXPECT_THAT(refused.output, HasSubstr("umask 002"));
}

TEST_F(SharedFolderTest, AManifestOfAnotherRankingIsSaid) {
  const auto path = config("mixed", "top_k: 2");
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  const auto summary = content(run() / "summary.json");
  ASSERT_EQ(run_quasar({"rank", config("other", "top_k: 7")}).status, 0);
  EXPECT_THAT(run_quasar({"status", run().string()}).output, Not(HasSubstr("is not the file")));
  write_text(run() / "summary.json", summary);
  const auto status = run_quasar({"status", run().string()});
  EXPECT_EQ(status.status, 0);
  EXPECT_THAT(status.output, HasSubstr("manifest.csv is not the file that summary.json sums up"));
  const auto verified = run_quasar({"verify", path});
  EXPECT_EQ(verified.status, 9) << verified.output;
  EXPECT_THAT(verified.output, HasSubstr("manifest.csv is not the file that summary.json sums up"));
}

#if defined(QUASAR_SANITIZED)
#define QUASAR_NEEDS_PRELOADING() GTEST_SKIP() << "the sanitizer must be loaded first"
#else
#define QUASAR_NEEDS_PRELOADING()
#endif

TEST_F(SharedFolderTest, AFileSystemWithoutLocksWillDo) {
  QUASAR_NEEDS_PRELOADING();
  const auto path = config("nolock", "top_k: 2");
  for (const int error : {ENOLCK, ENOTSUP, ENOSYS}) {
    fs::remove_all(run());
    const std::vector<std::string> environment = {"LD_PRELOAD=" QUASAR_SHIM_NO_LOCKS,
                                                  "NO_LOCKS=" + std::to_string(error)};
    const auto outcome = run_quasar({"run", path}, 0, environment);
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("has no locks"));
    // The record keeps others out.
    const quasar::base::FileLock lock(run() / "state" / "rank.lock");
    const auto refused = run_quasar({"rank", path}, 0, environment);
    EXPECT_EQ(refused.status, 5) << refused.output;
    EXPECT_THAT(refused.output, HasSubstr("is being ranked by another job"));
  }
}

TEST_F(SharedFolderTest, LocksThatTheEnvironmentAsksHdf5ForAreRefusedWithTheirCure) {
  QUASAR_NEEDS_PRELOADING();
  const auto outcome = run_quasar({"run", config("asked", "top_k: 2")}, 0,
                                  {"LD_PRELOAD=" QUASAR_SHIM_NO_LOCKS, "HDF5_USE_FILE_LOCKING=TRUE"});
  EXPECT_NE(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("HDF5_USE_FILE_LOCKING=TRUE"));
  EXPECT_THAT(outcome.output, HasSubstr("set it to FALSE"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("is no HDF5 file")));
}

TEST_F(SharedFolderTest, WhatAnotherRankHasWrittenIsWaitedFor) {
  QUASAR_NEEDS_PRELOADING();
  const auto path = config("late", "top_k: 2");
  ASSERT_EQ(run_quasar({"run", path}).status, 0);
  const auto manifest = content(run() / "manifest.csv");
  for (const std::string rank : {"0", "1"}) {
    fs::remove_all(run());
    const auto outcome = run_quasar({"run", path}, 3,
                                    {"LD_PRELOAD=" QUASAR_SHIM_LATE, "LATE_RANK=" + rank, "LATE_LOOKS=9",
                                     "LATE_PATHS=/scores/,/tmp/rank/,items.jsonl"});
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(content(run() / "manifest.csv"), manifest);
    // The plan, which rank 0 has written. What rank 0 needs of others depends on who scored which shard.
    if (rank != "0") {
      EXPECT_THAT(outcome.output, HasSubstr("which another rank has written"));
    }
  }
}

TEST_F(SharedFolderTest, TasksThatTakeThemselvesForTheWholeJobAreRefused) {
  const auto path = config("tasks", "top_k: 2");
  const std::vector<std::string> task = {"SLURM_JOB_ID=77", "SLURM_NTASKS=3", "SLURM_STEP_NUM_TASKS=3",
                                         "SLURM_PROCID=0"};
  const auto refused = run_quasar({"run", path}, 0, task);
  EXPECT_EQ(refused.status, 2) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("process 0 of 3"));
  EXPECT_THAT(refused.output, HasSubstr("srun --mpi=pmix"));
  EXPECT_FALSE(fs::exists(run()));
  // In the batch script of such a job, and under its mpirun.
  EXPECT_EQ(run_quasar({"run", path}, 0, {"SLURM_JOB_ID=77", "SLURM_NTASKS=3", "SLURM_PROCID=0"}).status, 0);
  EXPECT_EQ(run_quasar({"rank", path}, 1, task).status, 0);
}

}  // namespace
