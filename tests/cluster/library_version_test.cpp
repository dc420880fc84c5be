#include "cluster/library_version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quasar::cluster {
namespace {

TEST(FaissVersion, HasThreeNumbers) {
  EXPECT_THAT(faiss_version(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

}  // namespace
}  // namespace quasar::cluster
