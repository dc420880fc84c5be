// What is tried out in another process: it may crash or hang there, and nothing of it is left here.
#include "base/trial.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <stdexcept>

namespace quasar::base {
namespace {

TEST(Trial, EndsWellOrByASignal) {
  int changed = 0;
  EXPECT_TRUE(survives([&] { changed = 1; }, 0));
  EXPECT_EQ(changed, 0);
  EXPECT_TRUE(survives([] { throw std::runtime_error("no crash"); }, 0));
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE}) {
    EXPECT_FALSE(survives([number] { ::raise(number); }, 0));
  }
}

TEST(Trial, EndsAfterItsTime) {
  EXPECT_FALSE(survives([] { ::pause(); }, 1));
}

}  // namespace
}  // namespace quasar::base
