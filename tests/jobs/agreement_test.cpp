// quasar agreement as a user meets it: what it refuses, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;

class AgreementTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto made = run_quasar({"scenes", photos(), "--count", "2", "--width", "72", "--height", "64"});
    ASSERT_EQ(made.status, 0) << made.output;
    write_text(config(), "run: " + (scratch_ / "run").string() + "\ncorpus: {directory: " + photos() +
                             "}\nanchors: {quality: " +
                             (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
  }
  std::string photos() const { return (scratch_ / "photos").string(); }
  std::string config() const { return (scratch_ / "config.yaml").string(); }
  Outcome agreement(const std::vector<std::string>& more, int ranks = 0) const {
    std::vector<std::string> words = {"agreement", config(), "--photos", photos(), "--count", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return run_quasar(words, ranks);
  }
  bool has_embedded() const { return std::filesystem::exists(scratch_ / "run" / "data"); }

  ScratchFolder scratch_;
};

TEST_F(AgreementTest, RefusesAnchorsOfAnotherEncoderBeforeItEmbeds) {
  for (const int ranks : {0, 2}) {
    // Another way of decoding makes other embeddings.
    const auto outcome = agreement({"--set", "decode.mode=fast"}, ranks);
    EXPECT_EQ(outcome.status, 6) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("belongs to another encoder"));
    EXPECT_FALSE(has_embedded());
  }
}

TEST_F(AgreementTest, RefusesASetThatIsNotThereBeforeItEmbeds) {
  const auto outcome = agreement({"--anchors", "quallity"});
  EXPECT_EQ(outcome.status, 2) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("no set quallity"));
  EXPECT_FALSE(has_embedded());
}

TEST_F(AgreementTest, MeasuresEveryKindWhereTheyBelongTogether) {
  const auto outcome = agreement({}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("mean over 25 kinds"));
  EXPECT_TRUE(has_embedded());
}

}  // namespace
