#include "decode/patience.h"

#include <gtest/gtest.h>

namespace quasar::decode {
namespace {

TEST(Patience, EndsWithTheProcessorTimeOfTheWorker) {
  Patience patience(1, 50);
  EXPECT_FALSE(patience.over_after(0.2, 0.2, 50.2));
  EXPECT_FALSE(patience.over_after(0.2, 0.2, 50.9));
  EXPECT_NEAR(patience.turn(), 0.1, 1e-9);
  EXPECT_TRUE(patience.over_after(0.1, 0.1, 51));
}

TEST(Patience, ASuspendedJobLosesNoTime) {
  Patience patience(1, 0);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(patience.over_after(0.2, 3600, 0.05 * i)) << "no more than it was meant to last";
  }
}

TEST(Patience, AShareOfAProcessorIsEnough) {
  Patience patience(1, 0);
  double processor = 0;
  for (int i = 0; i < 90; ++i) EXPECT_FALSE(patience.over_after(0.2, 0.2, processor += 0.01));
}

TEST(Patience, OneThatDoesNothingIsGivenUp) {
  Patience patience(0.5, 7);
  double waited = 0;
  bool over = false;
  while (!over && waited < 10) {
    const double turn = patience.turn();
    waited += turn;
    over = patience.over_after(turn, turn, 7);
  }
  EXPECT_NEAR(waited, 2, 0.01);
}

}  // namespace
}  // namespace quasar::decode
