// Runs GoogleTest; a program that could not test everything for want of data, or skipped all that it was
// asked for, says so by its exit status, which ctest knows.
#include <gtest/gtest.h>

#include <cstdio>

#include "support/test_data.h"

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  const auto& tests = *testing::UnitTest::GetInstance();
  const int skipped = tests.skipped_test_count();
  if (result != 0 || skipped == 0) return result;
  std::printf("%d of %d tests were skipped\n", skipped, tests.test_to_run_count());
  return skipped == tests.test_to_run_count() || quasar::test::lacked_data() ? kSkipped : 0;
}
