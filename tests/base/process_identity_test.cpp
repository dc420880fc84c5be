#include "base/process_identity.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quasar::base {
namespace {

TEST(ProcessIdentity, TellsTheLivingFromTheDead) {
  EXPECT_EQ(look_at(own_process()), ProcessLife::kAlive);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  auto process = own_process();
  process.pid = child;
  process.started = 0;
  EXPECT_EQ(look_at(process), ProcessLife::kAlive);
  ::kill(child, SIGKILL);
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(look_at(process), ProcessLife::kDead) << "ended, not waited for";
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(look_at(process), ProcessLife::kDead);
}

TEST(ProcessIdentity, AnotherProcessThatHasGotTheNumberIsNotIt) {
  auto process = own_process();
  ASSERT_NE(process.started, 0U);
  ++process.started;
  EXPECT_EQ(look_at(process), ProcessLife::kDead);
}

TEST(ProcessIdentity, OfAnotherMachineNothingIsKnown) {
  auto process = own_process();
  process.machine = "ffffffff";
  EXPECT_EQ(look_at(process), ProcessLife::kUnknown);
  EXPECT_EQ(look_at({}), ProcessLife::kUnknown);
}

TEST(ProcessIdentity, IsFoundInNames) {
  const auto found = process_named_in(".mark." + own_tag() + ".0.shard-000001.h5");
  EXPECT_EQ(found.pid, ::getpid());
  EXPECT_EQ(look_at(found), ProcessLife::kAlive);
  EXPECT_EQ(process_named_in("host.ffffffff.12.0.x").pid, 0);
  EXPECT_EQ(process_named_in("").pid, 0);
}

}  // namespace
}  // namespace quasar::base
