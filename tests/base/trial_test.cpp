// What is tried out in another process: it may crash, hang or take all memory there, and nothing of it is
// left here.
#include "base/trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "base/errors.h"
#include "base/sanitized.h"

namespace quasar::base {
namespace {

using testing::HasSubstr;
using testing::Optional;

constexpr std::uint64_t kMemory = std::uint64_t{64} << 20U;

TEST(Trial, EndsWellOrByASignal) {
  int changed = 0;
  EXPECT_EQ(lost_in_trial([&] { changed = 1; }, {}), std::nullopt);
  EXPECT_EQ(changed, 0);
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE}) {
    EXPECT_EQ(lost_in_trial([number] { ::raise(number); }, {}), "crashes");
  }
  EXPECT_EQ(lost_in_trial([] { ::_exit(1); }, {}), "crashes");
}

TEST(Trial, EndsAfterItsTime) {
  EXPECT_EQ(lost_in_trial([] { ::pause(); }, {.seconds = 1}), "does not end within 1 s");
}

TEST(Trial, ThrowsWhatTheWorkThrows) {
  const std::string message = "file.mat: " + std::string(5000, 'x');
  try {
    lost_in_trial([&] { fail(ExitCode::kMismatch, message); }, {});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kMismatch);
    EXPECT_EQ(error.what(), message);
  }
  EXPECT_THROW(lost_in_trial([] { throw std::runtime_error("else"); }, {}), Error);
}

TEST(Trial, TakesNoMoreMemoryThanItMay) {
  const auto take = [](std::size_t bytes) {
    return [bytes] {
      const std::vector<char> block(bytes, 'x');
      if (block.back() != 'x') std::abort();
    };
  };
  EXPECT_EQ(lost_in_trial(take(kMemory / 2), {.memory = kMemory}), std::nullopt);
#if defined(QUASAR_SANITIZED)
  // Whose allocators end the process.
  EXPECT_NE(lost_in_trial(take(std::size_t{1} << 34U), {.memory = kMemory}), std::nullopt);
#else
  EXPECT_EQ(lost_in_trial(take(std::size_t{1} << 34U), {.memory = kMemory}),
            "takes more than 64.0 MiB of memory");
#endif
  // A library that does not look at what it gets.
  EXPECT_EQ(lost_in_trial(
                [] {
                  auto* const block = static_cast<volatile char*>(std::malloc(std::size_t{1} << 34U));
                  block[0] = 1;
                },
                {.memory = kMemory}),
            "crashes, or takes more than 64.0 MiB of memory");
  take(2 * kMemory)();
}

}  // namespace
}  // namespace quasar::base
