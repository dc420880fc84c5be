#include "base/companion_program.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace quasar::base {
namespace {

TEST(CompanionProgram, IsWhatTheEnvironmentNamesOrLiesBesideTheProgram) {
  constexpr const char* kVariable = "QUASAR_COMPANION_OF_A_TEST";
  const auto here = std::filesystem::read_symlink("/proc/self/exe");
  ::setenv(kVariable, "/opt/companion", 1);
  EXPECT_EQ(companion_program("companion", kVariable), "/opt/companion");
  ::setenv(kVariable, "", 1);
  EXPECT_EQ(companion_program("companion", kVariable), here.parent_path() / "companion");
  ::unsetenv(kVariable);
  EXPECT_EQ(companion_program(here.filename().string(), kVariable), here);
}

}  // namespace
}  // namespace quasar::base
