#include "corpus/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "support/test_data.h"
#include "tar_builder.h"

namespace quasar::corpus {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Item> items_of(const Plan& plan) {
  std::vector<Item> items;
  for (const auto& shard : plan.shards()) {
    EXPECT_EQ(shard.first, items.size());
    auto part = plan.read_items(shard);
    EXPECT_EQ(part.size(), shard.count);
    items.insert(items.end(), part.begin(), part.end());
  }
  EXPECT_EQ(items.size(), plan.item_count());
  return items;
}

std::vector<std::string> ids_of(const Plan& plan) {
  std::vector<std::string> ids;
  for (const auto& item : items_of(plan)) ids.push_back(item.id);
  return ids;
}

std::vector<std::uint64_t> counts_of(const Plan& plan) {
  std::vector<std::uint64_t> counts;
  for (const auto& shard : plan.shards()) counts.push_back(shard.count);
  return counts;
}

template <typename Work>
std::string mismatch(const Work& work) {
  try {
    work();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kMismatch);
    return error.what();
  }
  return "no error";
}

/// As if so written a minute later than it was.
void write_later(const fs::path& path) {
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::minutes(1));
}

CorpusConfig folder_corpus(const fs::path& folder, int shard_size = 2) {
  CorpusConfig config;
  config.shard_size = shard_size;
  config.sources.emplace_back();
  config.sources.back().path = folder;
  return config;
}

CorpusConfig tar_corpus(const std::string& pattern, int shard_size) {
  CorpusConfig config;
  config.shard_size = shard_size;
  config.sources.emplace_back();
  config.sources.back().kind = SourceKind::kTar;
  config.sources.back().patterns = {pattern};
  return config;
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  base::write_file_atomically(path, text);
}

class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    for (const auto* name : {"b.jpg", "a/2.png", "a/1.jpg", "a-b/0.jpg", "c.JPG"})
      write(photos_ / name, name);
  }
  test::ScratchFolder scratch_;
  const fs::path photos_ = scratch_ / "photos";
  const fs::path run_ = scratch_ / "run";
};

TEST_F(PlanTest, FreezesAndLoadsTheSame) {
  const auto plan = Plan::make(folder_corpus(photos_));
  EXPECT_THAT(ids_of(plan), ElementsAre("a-b/0.jpg", "a/1.jpg", "a/2.png", "b.jpg", "c.JPG"));
  EXPECT_THAT(counts_of(plan), ElementsAre(2U, 2U, 1U));
  plan.save(run_);
  const auto loaded = Plan::load(run_);
  EXPECT_EQ(loaded.fingerprint(), plan.fingerprint());
  EXPECT_EQ(ids_of(loaded), ids_of(plan));
  EXPECT_EQ(items_of(loaded)[1].source, (photos_ / "a/1.jpg").string());
  EXPECT_EQ(items_of(loaded)[1].size, 7U);
  EXPECT_EQ(loaded.shards()[0].bytes, 16U);
  EXPECT_EQ(Plan::make(folder_corpus(photos_)).fingerprint(), plan.fingerprint());
  EXPECT_NE(Plan::make(folder_corpus(photos_, 3)).fingerprint(), plan.fingerprint());
}

TEST_F(PlanTest, KeepsEveryPartOfAnItem) {
  Item item;
  item.id = "x \"quoted\"\n\xC3\xA9";
  item.source = "/t.tar";
  item.member = "m.jpg";
  item.offset = 1ULL << 40U;
  item.size = 77;
  item.label = 0.1;
  item.reference = "reference";
  item.fields = {{"url", "http://z/%20"}, {"caption", "b"}, {"a", ""}};
  Plan::from_items({item}, 10).save(run_);
  const auto read = items_of(Plan::load(run_)).at(0);
  EXPECT_EQ(read.id, item.id);
  EXPECT_EQ(read.source, item.source);
  EXPECT_EQ(read.member, item.member);
  EXPECT_EQ(read.offset, item.offset);
  EXPECT_EQ(read.size, item.size);
  EXPECT_EQ(read.label, item.label);
  EXPECT_EQ(read.reference, item.reference);
  EXPECT_EQ(read.fields, item.fields);
}

TEST_F(PlanTest, AChangedPlanIsRefused) {
  Plan::make(folder_corpus(photos_)).save(run_);
  const std::string text = base::read_file(run_ / "plan.json");
  auto edited = nlohmann::json::parse(text);
  edited["shards"][0]["count"] = 1;
  for (const auto& bad :
       {edited.dump(), text.substr(0, text.size() / 2), std::string("[]"), std::string("{}")}) {
    base::write_file_atomically(run_ / "plan.json", bad);
    EXPECT_THAT(mismatch([&] { Plan::load(run_); }), HasSubstr("plan.json")) << bad;
  }
}

TEST_F(PlanTest, ChangedItemsAreRefused) {
  Plan::make(folder_corpus(photos_)).save(run_);
  std::string items = base::read_file(run_ / "items.jsonl");
  const std::string whole = items;
  items[items.find("1.jpg")] = '7';
  base::write_file_atomically(run_ / "items.jsonl", items);
  const auto plan = Plan::load(run_);
  EXPECT_THAT(mismatch([&] { plan.read_items(plan.shards()[0]); }), HasSubstr("shard 0"));
  base::write_file_atomically(run_ / "items.jsonl", whole.substr(0, whole.size() - 1));
  EXPECT_THAT(mismatch([&] { Plan::load(run_); }), HasSubstr("shorter"));
}

TEST_F(PlanTest, AddingASourceKeepsOldShards) {
  auto config = folder_corpus(photos_);
  const auto plan = Plan::make(config);
  plan.save(run_);
  EXPECT_EQ(Plan::load(run_).extend(config).fingerprint(), plan.fingerprint());
  write(scratch_ / "more/z.jpg", "z");
  config.sources.push_back(folder_corpus(scratch_ / "more").sources[0]);
  std::swap(config.sources[0], config.sources[1]);  // The order in the configuration does not matter.
  const auto extended = Plan::load(run_).extend(config);
  EXPECT_NE(extended.fingerprint(), plan.fingerprint());
  ASSERT_EQ(extended.shards().size(), 4U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(extended.shards()[i].sha256, plan.shards()[i].sha256);
  EXPECT_EQ(extended.shards()[3].source, 1);
  extended.save(run_);
  EXPECT_THAT(ids_of(Plan::load(run_)),
              ElementsAre("a-b/0.jpg", "a/1.jpg", "a/2.png", "b.jpg", "c.JPG", "z.jpg"));
  EXPECT_EQ(Plan::load(run_).extend(config).fingerprint(), extended.fingerprint());
}

TEST_F(PlanTest, AnExtensionCutShortLeavesTheOldPlan) {
  auto config = folder_corpus(photos_);
  const auto plan = Plan::make(config);
  plan.save(run_);
  const std::string old_plan = base::read_file(run_ / "plan.json");
  write(scratch_ / "more/z.jpg", "z");
  config.sources.push_back(folder_corpus(scratch_ / "more").sources[0]);
  plan.extend(config).save(run_);
  base::write_file_atomically(run_ / "plan.json", old_plan);  // As if killed between the two renames.
  EXPECT_EQ(ids_of(Plan::load(run_)), ids_of(plan));
}

TEST_F(PlanTest, AChangedSourceIsNamed) {
  const auto config = folder_corpus(photos_);
  const auto plan = Plan::make(config);
  write(photos_ / "new.jpg", "n");
  EXPECT_THAT(mismatch([&] { plan.extend(config); }), HasSubstr("held 5 images and now holds 6"));
  EXPECT_THAT(mismatch([&] { plan.extend(folder_corpus(scratch_ / "run")); }), HasSubstr("does not name"));
  fs::remove_all(photos_);
  EXPECT_EQ(plan.extend(config).fingerprint(), plan.fingerprint())
      << "stored embeddings outlive their images";
}

TEST_F(PlanTest, WhatBearsTheTimesOfThePlanIsNotListedAgain) {
  // Its folder does not change with what it leads to, so that only a listing tells.
  write(scratch_ / "elsewhere/z.jpg", "z");
  fs::create_symlink(scratch_ / "elsewhere/z.jpg", photos_ / "z.jpg");
  const auto config = folder_corpus(photos_);
  Plan::make(config).save(run_);
  fs::remove(scratch_ / "elsewhere/z.jpg");
  const auto held = HasSubstr("held 6 images and now holds 5");
  EXPECT_THAT(mismatch([&] { Plan::load(run_).extend(config, SourceCheck::kStamps); }), held)
      << "written in the moment in which the folder changed: its time says nothing";
  write_later(run_ / "plan.json");
  const auto plan = Plan::load(run_);
  EXPECT_EQ(plan.extend(config, SourceCheck::kStamps).fingerprint(), plan.fingerprint());
  EXPECT_THAT(mismatch([&] { plan.extend(config); }), held);
  write(photos_ / "a/new.jpg", "n");
  EXPECT_THAT(mismatch([&] { plan.extend(config, SourceCheck::kStamps); }),
              HasSubstr("holds as many images (6) under other names"));
  fs::remove_all(photos_);
  EXPECT_EQ(plan.extend(config, SourceCheck::kStamps).fingerprint(), plan.fingerprint());
}

TEST_F(PlanTest, ATableIsReadAgainWhereItsSizeOrTimesDiffer) {
  const auto table = scratch_ / "table.csv";
  write(table, "path,mos\nb.jpg,1\n");
  CorpusConfig config;
  config.sources.emplace_back();
  config.sources.back().kind = SourceKind::kTable;
  config.sources.back().path = table;
  config.sources.back().root = photos_;
  config.sources.back().label_column = "mos";
  Plan::make(config).save(run_);
  write_later(run_ / "plan.json");
  const auto plan = Plan::load(run_);
  const auto same = [&] { return plan.extend(config, SourceCheck::kStamps).fingerprint(); };
  EXPECT_EQ(same(), plan.fingerprint());
  // As long, and of the same time of modification, which copying sets.
  const auto modified = fs::last_write_time(table);
  write(table, "path,mos\nb.jpg,2\n");
  fs::last_write_time(table, modified);
  EXPECT_THAT(mismatch(same), HasSubstr("its content has changed"));
  write(table, "path,mos\nb.jpg,1\n");
  EXPECT_EQ(same(), plan.fingerprint()) << "another time, the same content";
}

TEST_F(PlanTest, APlanWithoutStampsIsComparedByListing) {
  const auto config = folder_corpus(photos_);
  Plan::make(config).save(run_);
  auto old = nlohmann::json::parse(base::read_file(run_ / "plan.json"));
  ASSERT_EQ(old["sources"][0].erase("stamps"), 1U);
  old.erase("checksum");
  old["checksum"] = base::sha256_hex(old.dump());
  base::write_file_atomically(run_ / "plan.json", old.dump());
  write_later(run_ / "plan.json");
  const auto plan = Plan::load(run_);
  EXPECT_EQ(plan.extend(config, SourceCheck::kStamps).fingerprint(), plan.fingerprint());
  write(photos_ / "new.jpg", "n");
  EXPECT_THAT(mismatch([&] { plan.extend(config, SourceCheck::kStamps); }), HasSubstr("now holds 6"));
}

TEST_F(PlanTest, AnIdThatOccursTwiceIsAnErrorUnlessTheSourceHasAName) {
  write(scratch_ / "more/b.jpg", "other");
  auto config = folder_corpus(photos_);
  config.sources.push_back(folder_corpus(scratch_ / "more").sources[0]);
  try {
    Plan::make(config);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_THAT(error.what(), HasSubstr("\"b.jpg\" occurs twice"));
  }
  config.sources[1].name = "more";
  EXPECT_EQ(ids_of(Plan::make(config)).back(), "more/b.jpg");
}

TEST_F(PlanTest, ShardsOfTarsArePartsOfOneOrWholeOnes) {
  const auto tar_of = [](int images, char letter) {
    TarBuilder tar;
    for (int i = 0; i < images; ++i) tar.add(std::string(1, letter) + std::to_string(i) + ".jpg", "x");
    return tar.finish();
  };
  const int sizes[] = {3, 4, 25, 2, 8, 1};
  for (int i = 0; i < 6; ++i) {
    write(scratch_ / ("tars/" + std::to_string(i) + ".tar"), tar_of(sizes[i], static_cast<char>('a' + i)));
  }
  const auto plan = Plan::make(tar_corpus((scratch_ / "tars").string() + "/{0..5}.tar", 10));
  // 3 + 4 together; 25 in equal parts of their own; 2 + 8 together; 1.
  EXPECT_THAT(counts_of(plan), ElementsAre(7U, 9U, 9U, 7U, 10U, 1U));
  EXPECT_EQ(ids_of(plan)[0], "0.tar/a0.jpg");
  EXPECT_EQ(Plan::make(tar_corpus((scratch_ / "tars").string() + "/{0..5}.tar", 10)).fingerprint(),
            plan.fingerprint());
}

TEST_F(PlanTest, ATarThatChangedIsNamed) {
  write(scratch_ / "tars/0.tar", TarBuilder().add("a.jpg", "x").finish());
  const auto config = tar_corpus((scratch_ / "tars").string() + "/*.tar", 10);
  const auto plan = Plan::make(config);
  EXPECT_EQ(plan.extend(config).fingerprint(), plan.fingerprint());
  write(scratch_ / "tars/1.tar", TarBuilder().add("b.jpg", "x").finish());
  EXPECT_THAT(mismatch([&] { plan.extend(config); }), HasSubstr("1.tar is new"));
  fs::remove(scratch_ / "tars/1.tar");
  write(scratch_ / "tars/0.tar", TarBuilder().add("a.jpg", "x").add("b.jpg", "x").finish());
  EXPECT_THAT(mismatch([&] { plan.extend(config); }), HasSubstr("had 2048 bytes"));
}

}  // namespace
}  // namespace quasar::corpus
