#include <gtest/gtest.h>

#include <thread>

#include "base/bounded_queue.h"
#include "base/checksum.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/status.h"
#include "base/version.h"

namespace quasar::base {
namespace {

TEST(Checksum, KnownAnswers) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(xxh128_hex({}), "99aa06d3014798d86001c324468d497f");
}

TEST(Status, NamesRoundTripAndAreUnique) {
  for (const RowStatus status : all_statuses()) {
    EXPECT_EQ(status_from_name(status_name(status)), status);
  }
  EXPECT_EQ(all_statuses().size(), 17U);
  EXPECT_FALSE(status_from_name("nonsense").has_value());
}

TEST(BoundedQueue, KeepsOrderAndGivesNothingMoreAfterClose) {
  BoundedQueue<int> queue(2);
  std::thread producer([&] {
    for (int i = 0; i < 100; ++i) queue.push(i);
  });
  for (int i = 0; i < 99; ++i) EXPECT_EQ(queue.pop(), i);
  producer.join();
  ASSERT_EQ(queue.size(), 1U);
  queue.close();
  EXPECT_FALSE(queue.pop().has_value()) << "what no one had taken is left";
  EXPECT_FALSE(queue.push(1));
}

TEST(Random, IsReproducibleAndUniform) {
  Random a(7);
  Random b(7);
  double sum = 0;
  double normal_square = 0;
  for (int i = 0; i < 20000; ++i) {
    EXPECT_EQ(a.next(), b.next());
    sum += a.uniform();
    b.uniform();
    const double n = a.normal();
    b.normal();
    normal_square += n * n;
  }
  EXPECT_NEAR(sum / 20000, 0.5, 0.01);
  EXPECT_NEAR(normal_square / 20000, 1.0, 0.05);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.below(10), 10U);
}

TEST(Text, NumbersForPeople) {
  EXPECT_EQ(with_thousands(1234567), "1,234,567");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(counted(1, "shard"), "1 shard");
  EXPECT_EQ(counted(0, "shard"), "0 shards");
  EXPECT_EQ(counted(1234, "shard"), "1,234 shards");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_duration(7260), "2 h 1 min");
}

TEST(Version, IsThatOfTheProject) {
  EXPECT_EQ(version().find_first_not_of("0123456789."), std::string::npos);
}

}  // namespace
}  // namespace quasar::base
