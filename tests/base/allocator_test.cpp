#include "base/allocator.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <cstring>

#include "base/sanitized.h"

namespace quasar::base {
namespace {

long faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

TEST(Allocator, FreedBlocksAreUsedAgainWithoutNewPages) {
#if defined(QUASAR_SANITIZED) || !defined(__GLIBC__)
  GTEST_SKIP() << "another allocator is in use";
#endif
  reuse_freed_memory();
  constexpr std::size_t kBlock = 16 << 20;
  constexpr int kTimes = 20;
  long before = 0;
  for (int i = 0; i <= kTimes; ++i) {
    if (i == 1) before = faults();
    void* const block = std::malloc(kBlock);
    ASSERT_NE(block, nullptr);
    std::memset(block, i, kBlock);
    ASSERT_EQ(static_cast<unsigned char*>(block)[kBlock / 2], i);
    std::free(block);
  }
  // Given back each time, every block would cost 4,096 page faults anew.
  EXPECT_LT(faults() - before, 4096);
}

}  // namespace
}  // namespace quasar::base
