#include "pass/bottleneck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quasar::pass {
namespace {

/// Two ranks of 6 decode and 2 encode threads, 100 s each, with a GPU each.
PassWork work(double gpu_ranks = 2) {
  PassWork work;
  work.crew = {2, 12, 4, gpu_ranks};
  work.images = 10'000;
  work.bytes_read = 2e9;
  return work;
}

/// Shares of the threads' time.
PassWork with(PassWork work, double reading, double decoding, double encoding, double uploading = 0) {
  at(work.time, Doing::kReading) = reading * 1200;
  at(work.time, Doing::kDecoding) = decoding * 1200;
  at(work.time, Doing::kAwaitingEncoder) = (1 - reading - decoding) * 1200;
  at(work.time, Doing::kUploading) = uploading * 400;
  at(work.time, Doing::kEncoding) = encoding * 400;
  at(work.time, Doing::kAwaitingPictures) = (1 - encoding - uploading) * 400;
  return work;
}

TEST(Bottleneck, IsDecodingWhereTheEncoderWaitsAndSaysHowManyThreadsWouldFeedIt) {
  const auto found = find_bottleneck(with(work(), 0.05, 0.95, 0.4));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->stage, Stage::kDecoding);
  EXPECT_NEAR(found->waited, 0.6, 1e-12);
  EXPECT_EQ(found->threads_to_feed, 15) << "six threads at 40% of what the encoder takes";
  const auto text = describe_bottleneck(with(work(), 0.05, 0.95, 0.4));
  EXPECT_THAT(text, testing::HasSubstr("bound by decoding: the GPU waited 60%"));
  EXPECT_THAT(text, testing::HasSubstr("More CPUs per GPU: 15 would feed it (6 now)"));
  EXPECT_THAT(text, testing::HasSubstr("114.0 ms"));
}

TEST(Bottleneck, IsReadingWhereThatTakesLonger) {
  const auto text = describe_bottleneck(with(work(), 0.7, 0.3, 0.4));
  EXPECT_THAT(text, testing::HasSubstr("bound by reading"));
  EXPECT_THAT(text, testing::HasSubstr("84.0 ms"));
  EXPECT_THAT(text, testing::HasSubstr("embed.decode_threads, 6 a rank now"));
}

TEST(Bottleneck, IsEncodingWhereDecodersWait) {
  const auto found = find_bottleneck(with(work(), 0.1, 0.2, 0.98));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->stage, Stage::kEncoding);
  EXPECT_NEAR(found->waited, 0.7, 1e-12);
  EXPECT_THAT(describe_bottleneck(with(work(), 0.1, 0.2, 0.98)),
              testing::HasSubstr("2 CPUs per GPU would do (6 now)"));
  EXPECT_THAT(describe_bottleneck(with(work(0), 0.1, 0.2, 0.98)),
              testing::AllOf(testing::HasSubstr("bound by encoding, on the cores"),
                             testing::HasSubstr("24.0 ms of one in the decoder and 39.2 ms in the encoder"),
                             testing::Not(testing::HasSubstr("per GPU"))));
}

TEST(Bottleneck, WithoutGpuIsWhatTakesMoreOfTheCores) {
  // Threads of both kinds wait for a core, not for one another.
  EXPECT_THAT(describe_bottleneck(with(work(0), 0.05, 0.4, 0.9)),
              testing::HasSubstr("bound by decoding, on the cores"));
  EXPECT_THAT(describe_bottleneck(with(work(0), 0.7, 0.3, 0.4)), testing::HasSubstr("bound by reading"));
}

TEST(Bottleneck, IsTheUploadWhereThatTakesLonger) {
  EXPECT_THAT(describe_bottleneck(with(work(), 0.1, 0.2, 0.3, 0.6)),
              testing::HasSubstr("bound by the upload"));
}

TEST(Bottleneck, IsTheWriterOrTheHandOutOfShardsWhereAllWaitForThese) {
  auto held = with(work(), 0.1, 0.2, 0.3);
  std::swap(at(held.time, Doing::kAwaitingEncoder), at(held.time, Doing::kAwaitingWriter));
  EXPECT_THAT(describe_bottleneck(held), testing::HasSubstr("bound by writing: decode threads waited 70%"));
  std::swap(at(held.time, Doing::kAwaitingWriter), at(held.time, Doing::kAwaitingShard));
  EXPECT_THAT(describe_bottleneck(held), testing::HasSubstr("bound by the hand-out of shards"));
}

TEST(Bottleneck, IsNotGuessedFromNothing) {
  EXPECT_FALSE(find_bottleneck({}));
  auto brief = with(work(), 0.1, 0.2, 0.3);
  for (auto& seconds : brief.time) seconds *= 1e-3;
  EXPECT_EQ(describe_bottleneck(brief), "");
}

}  // namespace
}  // namespace quasar::pass
