// Independent jobs that share a run directory, as the tasks of a Slurm job array do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
namespace fs = std::filesystem;

class PartTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto outcome =
        render_scenes(scratch_ / "pictures", {"--count", "24", "--width", "96", "--height", "96"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }

  /// Eight shards of three pictures.
  std::string config(const std::string& name) {
    auto path = (scratch_ / (name + ".yaml")).string();
    write_text(path, "run: " + run(name).string() +
                         "\ncorpus: {directory: " + (scratch_ / "pictures").string() +
                         ", shard_size: 3}\nencoder: {batch_size: 2}\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
    return path;
  }
  fs::path run(const std::string& name) { return scratch_ / ("run-" + name); }
  std::set<std::string> embeddings(const std::string& name) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(run(name) / "embeddings"))
      names.insert(entry.path().filename().string());
    return names;
  }

  ScratchFolder scratch_;
};

TEST_F(PartTest, JobsAtOnceOnANewRunDirectoryMakeWhatOneMakes) {
  ASSERT_EQ(run_quasar({"run", config("one")}).status, 0);
  const auto path = config("parts");
  std::vector<std::unique_ptr<Program>> jobs;
  for (const char* part : {"0/3", "1/3", "2/3"}) {
    jobs.push_back(std::make_unique<Program>(
        std::vector<std::string>{"embed", path, "--part", part, "--set", "embed.encode_threads=1"}, 0));
  }
  for (const auto& job : jobs) {
    const auto outcome = job->wait();
    EXPECT_EQ(outcome.status, 0) << outcome.output;
  }
  EXPECT_EQ(embeddings("parts"), embeddings("one"));
  EXPECT_TRUE(fs::exists(run("parts") / "embeddings.h5")) << "left to the job that ends last, and it left it";
  ASSERT_EQ(run_quasar({"score", path}).status, 0);
  ASSERT_EQ(run_quasar({"rank", path}).status, 0);
  for (const char* file : {"plan.json", "items.jsonl", "manifest.csv", "manifest.jsonl"})
    EXPECT_EQ(content(run("parts") / file), content(run("one") / file)) << file;
}

TEST_F(PartTest, APartHasEveryNthShardAndLeavesTheJointFileToTheLast) {
  const auto path = config("third");
  const auto first = run_quasar({"embed", path, "--part", "1/3"}, 2);
  ASSERT_EQ(first.status, 0) << first.output;
  EXPECT_THAT(embeddings("third"),
              testing::ElementsAre("shard-000001.h5", "shard-000004.h5", "shard-000007.h5"));
  EXPECT_FALSE(fs::exists(run("third") / "embeddings.h5"));
  EXPECT_THAT(first.output, HasSubstr("part 1 of 3 is done"));
  ASSERT_EQ(run_quasar({"embed", path, "--part", "0/3"}).status, 0);
  EXPECT_FALSE(fs::exists(run("third") / "embeddings.h5"));
  ASSERT_EQ(run_quasar({"embed", path, "--part", "2/3"}).status, 0);
  EXPECT_TRUE(fs::exists(run("third") / "embeddings.h5"));
}

TEST_F(PartTest, MorePartsThanShardsIsNoError) {
  const auto outcome = run_quasar({"embed", config("many"), "--part", "11/12"});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_TRUE(embeddings("many").empty());
}

TEST_F(PartTest, APartThatIsNoneIsAUsageError) {
  for (const char* part : {"3/3", "-1/3", "1", "1/3x", "a/b", "0/0", "1/"}) {
    const auto outcome = run_quasar({"embed", config("wrong"), std::string("--part=") + part});
    EXPECT_EQ(outcome.status, 2) << part << ": " << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("--part"));
  }
  EXPECT_FALSE(fs::exists(run("wrong")));
}

TEST_F(PartTest, AFrozenPlanIsThePlanOfTheJobsThatFollow) {
  const auto path = config("frozen");
  const auto outcome = run_quasar({"plan", path, "--freeze"}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("shards         8"));
  const auto plan = content(run("frozen") / "plan.json");
  ASSERT_FALSE(plan.empty());
  ASSERT_EQ(run_quasar({"embed", path, "--part", "0/8"}).status, 0);
  EXPECT_EQ(content(run("frozen") / "plan.json"), plan);
}

TEST_F(PartTest, APartOfAFrozenPlanListsNoSource) {
  const auto path = config("listed");
  ASSERT_EQ(run_quasar({"plan", path, "--freeze"}).status, 0);
  write_text(scratch_ / "pictures" / "new.png", "what would be refused, were it seen");
  const auto part = run_quasar({"embed", path, "--part", "0/2"});
  EXPECT_EQ(part.status, 0) << part.output;
  EXPECT_EQ(run_quasar({"embed", path}).status, 6);
  const auto other = run_quasar({"embed", path, "--part", "1/2", "--set", "corpus.name=other"});
  EXPECT_EQ(other.status, 6) << other.output;
  EXPECT_THAT(other.output, HasSubstr((scratch_ / "pictures").string()));
}

TEST_F(PartTest, OfJobsThatBeginOneDirectoryWithOtherSettingsOneIsRefused) {
  const auto path = config("torn");
  ASSERT_EQ(run_quasar({"plan", path, "--freeze"}).status, 0);
  EXPECT_FALSE(fs::exists(run("torn") / "identity.json")) << "no encoder was opened yet";
  std::vector<std::unique_ptr<Program>> jobs;
  for (const char* mode : {"exact", "fast"}) {
    jobs.push_back(std::make_unique<Program>(
        std::vector<std::string>{"embed", path, "--part", "0/2", "--set", std::string("decode.mode=") + mode},
        0));
  }
  std::vector<int> statuses;
  statuses.reserve(jobs.size());
  for (const auto& job : jobs) statuses.push_back(job->wait().status);
  EXPECT_THAT(statuses, testing::UnorderedElementsAre(0, 6));
}

}  // namespace
