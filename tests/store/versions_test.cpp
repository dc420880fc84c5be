// Files of every version of the schemas, as they lie in the repository: what is written today is read for
// ever.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/errors.h"
#include "corpus/plan.h"
#include "store/anchor_file.h"
#include "store/embedding_shard.h"
#include "store/run_layout.h"
#include "store/score_shard.h"
#include "support/test_data.h"

namespace quasar::store {
namespace {

namespace fs = std::filesystem;
using base::RowStatus;

class Versions : public testing::TestWithParam<int> {
 protected:
  RunLayout run() const {
    return RunLayout(test::test_file("store/versions/run-" + std::to_string(GetParam())));
  }
  /// The one data set beside the corpus.
  DataSetLayout anchor_data() const {
    if (GetParam() == 1) return run().former_anchor_data("built");
    return DataSetLayout(fs::directory_iterator(run().data_sets())->path());
  }
};

TEST_P(Versions, PlansAndTheirItems) {
  const auto plan = corpus::Plan::load(run().root());
  ASSERT_EQ(plan.shards().size(), 2U);
  EXPECT_EQ(plan.item_count(), 6U);
  const auto items = plan.read_items(plan.shards()[0]);
  ASSERT_EQ(items.size(), 4U);
  EXPECT_EQ(items[1].id, "photos/scene-0000-pristine.png");
  EXPECT_EQ(items[1].label, 2.5);
  EXPECT_EQ(items[1].fields, (std::vector<std::pair<std::string, std::string>>{{"topic", "t2"}}));
  EXPECT_FALSE(items[1].distortion);
}

TEST_P(Versions, ShardsOfTheCorpus) {
  const auto plan = corpus::Plan::load(run().root());
  for (const auto& shard : plan.shards()) {
    const auto path = run().corpus().shard(shard.id);
    EXPECT_TRUE(verify_shard(path));
    EXPECT_TRUE(is_whole_shard(path, shard.sha256, shard.count));
    const EmbeddingShardReader reader(path);
    EXPECT_EQ(reader.header().encoder.architecture, "mini");
    EXPECT_EQ(reader.header().dimension, 64);
  }
  const EmbeddingShardReader reader(run().corpus().shard(0), Integrity::kRows);
  const auto rows = reader.read_rows(0, 4);
  EXPECT_EQ(rows[0].status, RowStatus::kUnknownFormat);
  EXPECT_EQ(rows[1].status, RowStatus::kOk);
  EXPECT_EQ(rows[1].id, "photos/scene-0000-pristine.png");
  EXPECT_EQ(rows[1].source, "/data/photos/scene-0000-pristine.png");
  EXPECT_EQ(rows[1].fields, R"({"topic":"t2"})");
  EXPECT_EQ(rows[1].label, 2.5);
  EXPECT_EQ(rows[1].width, 80);
  EXPECT_TRUE(std::isnan(rows[1].deviation));
  EXPECT_EQ(rows[1].split, "");
  EXPECT_EQ(rows[0].perceptual_quality, -1);
  EXPECT_EQ(rows[0].perceptual_hash, "");
  EXPECT_EQ(rows[1].format, GetParam() < 3 ? "" : "png");
  EXPECT_EQ(rows[1].perceptual_hash.size(), GetParam() < 3 ? 0U : 64U);
  EXPECT_EQ(rows[1].perceptual_quality >= 0, GetParam() >= 3);
  const auto last = EmbeddingShardReader(run().corpus().shard(1)).read_rows(1, 1).front();
  EXPECT_EQ(last.id, "gone.png");
  EXPECT_EQ(last.status, RowStatus::kMissing);
}

TEST_P(Versions, DistortedCopies) {
  const auto plan = corpus::Plan::load(anchor_data().folder());
  const auto items = plan.read_items(plan.shards()[0]);
  const EmbeddingShardReader reader(anchor_data().shard(0));
  const auto rows = reader.read_rows(0, reader.size());
  ASSERT_EQ(rows.size(), items.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool copy = rows[i].id.ends_with("#jpeg-4");
    EXPECT_EQ(copy, i % 2 == 1) << rows[i].id;
    EXPECT_EQ(rows[i].distortion, items[i].distortion);
    EXPECT_EQ(rows[i].distortion.has_value(), copy);
    EXPECT_EQ(rows[i].reference.empty(), !copy);
    EXPECT_EQ(rows[i].fields, "");
    EXPECT_TRUE(items[i].fields.empty());
    if (!copy) continue;
    EXPECT_EQ(rows[i].distortion->kind, distort::DistortionKind::kJpeg);
    EXPECT_EQ(rows[i].distortion->level, 4);
    EXPECT_NE(rows[i].distortion->seed, 0U);
  }
}

TEST_P(Versions, ScoresAndAnchors) {
  const auto scores = read_score_shard(run().scores(0));
  EXPECT_EQ(scores.names, std::vector<std::string>{"shipped"});
  ASSERT_EQ(scores.scores.size(), 4U);
  EXPECT_TRUE(std::isnan(scores.scores[0]));
  EXPECT_GT(scores.scores[1], 0.0F);
  EXPECT_EQ(scores.embeddings_xxh128, EmbeddingShardReader(run().corpus().shard(0)).header().content_xxh128);
  const auto set = read_anchor_file(run().anchor_file("built"));
  EXPECT_EQ(set.pairs(), 1U);
  EXPECT_EQ(set.dimension, 64U);
  EXPECT_EQ(set.counts.at("good"), 4);
}

INSTANTIATE_TEST_SUITE_P(All, Versions, testing::Values(1, 2, 3));

}  // namespace
}  // namespace quasar::store
