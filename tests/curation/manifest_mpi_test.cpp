#include "curation/manifest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <sstream>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/file_lock.h"
#include "base/random.h"
#include "curation/selection.h"
#include "curation/shared_folder.h"
#include "store/embedding_shard.h"
#include "store/score_shard.h"

namespace quasar::curation {
namespace {

using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
const std::vector<std::string> kColumns = {"quality", "aesthetics"};
const std::vector<std::string> kFiles = {"manifest.csv", "manifest.jsonl", "summary.json", "report.html"};
const std::map<std::string, std::string> kVersions = {{"quasar", "0"}};

/// A row of a made-up run: what the stores hold of it.
struct TestRow {
  store::RowRecord record;
  std::vector<float> scores;
};

/// Rows with many equal scores, hostile ids, failures, labels and fields.
std::vector<TestRow> make_rows(std::size_t count, std::uint64_t seed) {
  base::Random random(seed);
  const std::vector<std::string> prefixes = {
      "a", "a,b", "\"q\"", "line\nbreak", "<script>alert('x')</script>&", "\xC3\xA4", "=1+1", " z "};
  std::vector<TestRow> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& record = rows[i].record;
    record.id = prefixes[random.below(prefixes.size())] + "/" + std::to_string(random.below(1000)) + "-" +
                std::to_string(i);
    record.source = "/data/" + std::to_string(i);
    record.offset = i * 512;
    record.bytes = 100 + i;
    record.hash = fmt::format("{:032x}", i);
    record.width = 64;
    record.height = 48;
    record.label = random.below(3) == 0 ? 0.5 * static_cast<double>(i) : std::nan("");
    if (random.below(2) == 0) record.fields = "{\"caption\":\"x, \\\"y\\\"\\n\"}";
    record.status = base::RowStatus::kOk;
    rows[i].scores = {static_cast<float>(random.below(7)) / 10.0F,
                      static_cast<float>(random.below(3)) / 4.0F};
    if (random.below(8) == 0) {
      record.status = random.below(2) == 0 ? base::RowStatus::kDecodeFailed : base::RowStatus::kMissing;
      record.error = "it broke";
      rows[i].scores = {kNan, kNan};
    }
  }
  return rows;
}

/// Writes the stores of a run, on root, in shards of uneven size.
RankInput write_run(const std::filesystem::path& run, const std::vector<TestRow>& rows,
                    std::size_t rows_per_shard = 17) {
  RankInput input{store::DataSetLayout(run), store::RunLayout(run), {}, {}, {}, {}};
  std::size_t first = 0;
  for (int shard = 0; first < rows.size(); ++shard) {
    const std::size_t count =
        std::min(rows.size() - first, rows_per_shard + static_cast<std::size_t>(shard % 3));
    input.shards.push_back(shard);
    input.shard_first.push_back(first);
    comm::Communicator::world().on_root([&] {
      base::make_directories(input.embeddings.embeddings());
      base::make_directories(input.scores.scores());
      store::ShardHeader header;
      header.encoder = {"test", "0", "none", "float32"};
      header.plan_fingerprint = "plan";
      header.shard = shard;
      header.dimension = 1;
      std::vector<store::RowRecord> records;
      std::vector<float> embeddings;
      store::ScoreShard scores;
      scores.shard = shard;
      scores.names = kColumns;
      scores.anchor_fingerprints = {"1", "2"};
      for (std::size_t i = first; i < first + count; ++i) {
        records.push_back(rows[i].record);
        embeddings.push_back(rows[i].record.status == base::RowStatus::kOk ? 1.0F : kNan);
        scores.scores.insert(scores.scores.end(), rows[i].scores.begin(), rows[i].scores.end());
      }
      scores.embeddings_xxh128 =
          store::write_embedding_shard(input.embeddings.shard(shard), header, records, embeddings);
      store::write_score_shard(input.scores.scores(shard), scores);
    });
    first += count;
  }
  return input;
}

/// Ranks into a folder of its own and gives the bytes of all files.
std::vector<std::string> rank_into(const std::filesystem::path& run, const RankInput& input,
                                   const CurationConfig& config, const comm::Communicator& comm,
                                   const std::vector<std::string>& columns = kColumns) {
  comm.on_root([&] { base::make_directories(run); });
  write_manifests(store::RunLayout(run), input, columns, config, kVersions, comm);
  std::vector<std::string> bytes;
  bytes.reserve(kFiles.size());
  for (const auto& file : kFiles) bytes.push_back(base::read_file(run / file));
  comm.barrier();
  return bytes;
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

float combined_of(const TestRow& row) {
  return static_cast<float>((static_cast<double>(row.scores[0]) + static_cast<double>(row.scores[1])) / 2);
}

/// Rows in the order that the manifest promises, by the definition.
std::vector<TestRow> in_order(std::vector<TestRow> rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const TestRow& a, const TestRow& b) {
    const float x = combined_of(a);
    const float y = combined_of(b);
    if (std::isnan(x) != std::isnan(y)) return std::isnan(y);
    if (!std::isnan(x) && x != y) return x > y;
    return a.record.id < b.record.id;
  });
  return rows;
}

TEST(Manifest, ListsEveryRowInOrderWithRankPercentileAndReason) {
  const SharedFolder folder;
  const auto rows = make_rows(400, 1);
  const auto input = write_run(folder.path(), rows);
  CurationConfig config;
  config.top_fraction = 0.25;
  config.minimum = {{"quality", 0.15}};
  const auto world = comm::Communicator::world();
  const auto lines = json_lines(rank_into(folder.path() / "out", input, config, world)[1]);
  const auto expected = in_order(rows);
  const auto scored = static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [](const TestRow& row) { return !std::isnan(row.scores[0]); }));
  ASSERT_EQ(lines.size(), rows.size());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const TestRow& row = expected[i];
    const auto& line = lines[i];
    ASSERT_EQ(line.at("id"), row.record.id) << i;
    EXPECT_EQ(line.at("source"), row.record.source);
    EXPECT_EQ(line.at("hash"), row.record.hash);
    EXPECT_EQ(line.at("offset"), row.record.offset);
    EXPECT_EQ(line.at("label").is_null(), std::isnan(row.record.label));
    EXPECT_EQ(line.at("fields").is_null(), row.record.fields.empty());
    EXPECT_EQ(line.at("status"), base::status_name(row.record.status));
    if (i >= scored) {
      EXPECT_TRUE(line.at("rank").is_null() && line.at("combined").is_null() &&
                  line.at("percentile").is_null());
      EXPECT_EQ(line.at("keep"), false);
      EXPECT_EQ(line.at("reason"), "status: " + std::string(base::status_name(row.record.status)));
      continue;
    }
    EXPECT_EQ(line.at("rank"), i + 1);
    EXPECT_EQ(line.at("quality").get<float>(), row.scores[0]);
    EXPECT_EQ(line.at("combined").get<float>(), combined_of(row));
    const auto not_above = std::count_if(rows.begin(), rows.end(), [&](const TestRow& other) {
      return !std::isnan(other.scores[0]) && combined_of(other) <= combined_of(row);
    });
    EXPECT_NEAR(line.at("percentile").get<double>(),
                100.0 * static_cast<double>(not_above) / static_cast<double>(scored), 1e-6);
    const bool meets = row.scores[0] >= 0.15F;
    const bool keep =
        meets && kept < static_cast<std::size_t>(std::llround(0.25 * static_cast<double>(scored)));
    EXPECT_EQ(line.at("keep"), keep) << i;
    EXPECT_EQ(line.at("reason"), keep    ? "top_fraction"
                                 : meets ? "beyond_top_fraction"
                                         : "below_minimum: quality");
    kept += keep ? 1 : 0;
  }
  EXPECT_GT(kept, 0U);
}

TEST(Manifest, HasTheSameBytesOnAnyNumberOfRanksWithAnyMemoryShardingAndShardOrder) {
  const SharedFolder folder;
  const auto rows = make_rows(700, 2);
  const auto world = comm::Communicator::world();
  CurationConfig config;
  config.top_k = 100;
  auto input = write_run(folder.path(), rows);
  const auto many = rank_into(folder.path() / "many", input, config, world);
  // One rank alone, in a folder of its own.
  const auto alone = rank_into(folder.path() / ("alone-" + std::to_string(world.rank())), input, config,
                               comm::Communicator::self());
  EXPECT_EQ(many, alone);
  CurationConfig tight = config;
  tight.memory = 3000;
  EXPECT_EQ(many, rank_into(folder.path() / "tight", input, tight, world));
  std::reverse(input.shards.begin(), input.shards.end());
  std::reverse(input.shard_first.begin(), input.shard_first.end());
  EXPECT_EQ(many, rank_into(folder.path() / "reversed", input, config, world));
  const auto other = write_run(folder.path() / "other", rows, 100);
  EXPECT_EQ(many, rank_into(folder.path() / "resharded", other, config, world));
}

TEST(Manifest, CountsAddUpEverywhere) {
  const SharedFolder folder;
  auto rows = make_rows(300, 3);
  const auto ok = std::find_if(rows.begin(), rows.end(),
                               [](const TestRow& row) { return row.record.status == base::RowStatus::kOk; });
  ok->scores = {0.5F, kNan};  // An embedding that one set of anchors cannot score.
  const auto input = write_run(folder.path(), rows);
  const auto result = write_manifests(store::RunLayout(folder.path()), input, kColumns, {}, kVersions,
                                      comm::Communicator::world());
  EXPECT_EQ(result.rows, rows.size());
  EXPECT_EQ(result.scored + result.failed, result.rows);
  EXPECT_EQ(result.kept, result.scored);
  EXPECT_EQ(result.by_status.at(base::RowStatus::kOk), result.scored);
  EXPECT_EQ(result.by_status.at(base::RowStatus::kEncodeFailed), 1U);
  std::uint64_t statuses = 0;
  for (const auto& [status, count] : result.by_status) statuses += count;
  EXPECT_EQ(statuses, result.rows);
  std::uint64_t reasons = 0;
  for (const auto& [reason, count] : result.by_reason) reasons += count;
  EXPECT_EQ(reasons, result.rows);
  ASSERT_EQ(result.columns.size(), 3U);
  EXPECT_EQ(result.columns[2].first, "combined");
  EXPECT_EQ(result.columns[2].second.count, result.scored);
  const auto summary = nlohmann::json::parse(base::read_file(folder.path() / "summary.json"));
  EXPECT_EQ(summary.at("rows"), result.rows);
  EXPECT_EQ(summary.at("kept"), result.kept);
  EXPECT_EQ(summary.at("by_status").at("ok"), result.scored);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "tmp"));
}

TEST(Manifest, FiltersDropWithTheirNamesAndMakeRoomForTheNext) {
  const SharedFolder folder;
  auto rows = make_rows(300, 31);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].record.width = 100 + static_cast<int>(i);
    if (i % 3 == 0) rows[i].record.fields = R"({"language":"de"})";
    if (i % 3 == 1) rows[i].record.fields = R"({"language":"en"})";
    if (i % 3 == 2) rows[i].record.fields = "";
  }
  const auto input = write_run(folder.path(), rows);
  CurationConfig config;
  config.top_k = 20;
  config.filters = {{.name = "wide", .column = "width", .at_least = 150.0},
                    {.name = "language", .column = "language", .one_of = {"de", "fr"}}};
  const auto world = comm::Communicator::world();
  const auto many = rank_into(folder.path() / "out", input, config, world);
  EXPECT_EQ(many, rank_into(folder.path() / ("alone-" + std::to_string(world.rank())), input, config,
                            comm::Communicator::self()));
  const auto lines = json_lines(many[1]);
  const auto expected = in_order(rows);
  ASSERT_EQ(lines.size(), rows.size());
  EXPECT_FALSE(lines[0].contains(kFilterColumn));
  std::size_t kept = 0;
  std::uint64_t narrow = 0;
  std::uint64_t foreign = 0;
  std::uint64_t without = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& row = expected[i];
    if (std::isnan(row.scores[0])) continue;
    const bool wide = row.record.width >= 150;
    const bool german = row.record.fields.find("de") != std::string::npos;
    narrow += wide ? 0 : 1;
    foreign += german ? 0 : 1;
    without += row.record.fields.empty() ? 1 : 0;
    const std::string reason = !wide                       ? "filter: wide"
                               : row.record.fields.empty() ? "filter: language (no value)"
                               : !german                   ? "filter: language"
                               : kept < 20                 ? "top_k"
                                                           : "beyond_top_k";
    EXPECT_EQ(lines[i].at("reason"), reason) << i;
    kept += reason == "top_k" ? 1 : 0;
  }
  EXPECT_EQ(kept, 20U);
  const auto filters = nlohmann::json::parse(many[2]).at("filters");
  EXPECT_EQ(filters.at("wide").at("rows_failed"), narrow);
  EXPECT_EQ(filters.at("wide").at("at_least"), 150.0);
  EXPECT_EQ(filters.at("language").at("rows_failed"), foreign);
  EXPECT_EQ(filters.at("language").at("rows_without_value"), without);
  EXPECT_THAT(many[3], HasSubstr(">wide</td><td class=\"n\">" + std::to_string(narrow) + "</td>"));
}

TEST(Manifest, ReportListsBestAndWorstWithIdsEscaped) {
  const SharedFolder folder;
  const auto rows = make_rows(200, 4);
  const auto input = write_run(folder.path(), rows);
  const auto page = rank_into(folder.path(), input, {}, comm::Communicator::world())[3];
  EXPECT_EQ(page.find("<script"), std::string::npos);
  const auto scored = in_order(rows);
  EXPECT_THAT(page, HasSubstr("<br>rank 1, score "));
  // Twelve of the best, the median and the worst.
  std::size_t listed = 0;
  for (std::size_t at = page.find("<br>kept: all"); at != std::string::npos;
       at = page.find("<br>kept: all", at + 1)) {
    ++listed;
  }
  EXPECT_EQ(listed, 36U);
}

TEST(Manifest, TopKBeyondTheRowsKeepsAllScored) {
  const SharedFolder folder;
  const auto rows = make_rows(50, 5);
  const auto input = write_run(folder.path(), rows);
  CurationConfig config;
  config.top_k = 1'000'000;
  const auto result = write_manifests(store::RunLayout(folder.path()), input, kColumns, config, kVersions,
                                      comm::Communicator::world());
  EXPECT_EQ(result.kept, result.scored);
  EXPECT_LT(result.kept, result.rows);
}

TEST(Manifest, IsWrittenWhenNothingCouldBeScored) {
  const SharedFolder folder;
  auto rows = make_rows(30, 6);
  for (auto& row : rows) {
    row.record.status = base::RowStatus::kMissing;
    row.scores = {kNan, kNan};
  }
  const auto input = write_run(folder.path(), rows);
  CurationConfig config;
  config.top_fraction = 1.0;
  const auto result = write_manifests(store::RunLayout(folder.path()), input, kColumns, config, kVersions,
                                      comm::Communicator::world());
  EXPECT_EQ(result.scored, 0U);
  EXPECT_EQ(result.kept, 0U);
  EXPECT_EQ(result.failed, 30U);
  EXPECT_EQ(result.by_status.size(), 1U);
  const auto lines = json_lines(base::read_file(folder.path() / "manifest.jsonl"));
  ASSERT_EQ(lines.size(), 30U);
  EXPECT_LT(lines[0].at("id").get<std::string>(), lines[1].at("id").get<std::string>());
}

TEST(Manifest, WritesNoCombinedColumnForOneSetAndNoFileNotAskedFor) {
  const SharedFolder folder;
  const auto input = write_run(folder.path(), make_rows(40, 7));
  const auto world = comm::Communicator::world();
  rank_into(folder.path(), input, {}, world);
  CurationConfig config;
  config.jsonl = config.report = false;
  write_manifests(store::RunLayout(folder.path()), input, {"aesthetics"}, config, kVersions, world);
  const auto csv = base::read_file(folder.path() / "manifest.csv");
  EXPECT_THAT(csv, HasSubstr("hash,aesthetics,percentile,"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "manifest.jsonl"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "report.html"));
}

/// The error of a ranking, which every rank must see.
std::string error_of(const std::filesystem::path& run, const RankInput& input,
                     const std::vector<std::string>& columns, base::ExitCode code) {
  try {
    write_manifests(store::RunLayout(run), input, columns, {}, kVersions, comm::Communicator::world());
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(Manifest, FailsOnEveryRankWhenAShardIsMissingOrContradictsItself) {
  const SharedFolder folder;
  auto rows = make_rows(60, 8);
  rows[3].record.status = base::RowStatus::kOk;
  rows[3].scores = {0.5F, 0.5F};
  auto input = write_run(folder.path(), rows);
  EXPECT_THAT(error_of(folder.path(), input, {"sharpness"}, base::ExitCode::kMismatch),
              HasSubstr("'sharpness'"));
  input.shards.push_back(99);
  input.shard_first.push_back(60);
  EXPECT_THAT(error_of(folder.path(), input, kColumns, base::ExitCode::kInput), HasSubstr("shard-000099.h5"));
  rows[3].record.status = base::RowStatus::kTooSmall;
  const auto contradictory = write_run(folder.path() / "other", rows);
  EXPECT_THAT(error_of(folder.path() / "other", contradictory, kColumns, base::ExitCode::kMismatch),
              HasSubstr("too_small"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "manifest.csv"));
}

TEST(Manifest, AnotherJobsRankingOfTheRunIsNotDisturbed) {
  const SharedFolder folder;
  const auto input = write_run(folder.path(), make_rows(50, 1));
  const auto world = comm::Communicator::world();
  const auto out = folder.path() / "out";
  std::optional<base::FileLock> other;
  world.on_root([&] {
    base::make_directories(out / "state");
    other.emplace(out / "state" / "rank.lock");
    base::write_file_atomically(out / "manifest.csv", "of the other job");
  });
  try {
    rank_into(out, input, {}, world);
    ADD_FAILURE() << "ranked beside another job";
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("out is being ranked by another job"));
  }
  EXPECT_EQ(base::read_file(out / "manifest.csv"), "of the other job");
  world.barrier();
  other.reset();
  EXPECT_NE(rank_into(out, input, {}, world)[0], "of the other job");
}

TEST(Manifest, OneRanksWishToStopEndsTheRankingOnAllAndLeavesTheManifestsAsTheyWere) {
  const SharedFolder folder;
  const auto input = write_run(folder.path(), make_rows(200, 9));
  const auto world = comm::Communicator::world();
  const auto before = rank_into(folder.path(), input, {}, world);
  CurationConfig other;
  other.top_k = 3;
  // In turn at every point where it is asked: two passes over the scores, one over the rows, the writing.
  int asked = 0;
  int points = 0;
  for (int at = 1; at == points + 1; ++at) {
    asked = 0;
    const bool last = world.rank() == world.size() - 1;
    try {
      write_manifests(store::RunLayout(folder.path()), input, kColumns, other, kVersions, world,
                      [&] { return ++asked == at && last; });
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInterrupted) << error.what();
      ++points;
      world.barrier();  // Root clears up.
      for (std::size_t i = 0; i < kFiles.size(); ++i)
        EXPECT_TRUE(base::read_file(folder.path() / kFiles[i]) == before[i]) << kFiles[i] << ", stop " << at;
      EXPECT_FALSE(std::filesystem::exists(folder.path() / "tmp")) << "stop " << at;
      world.barrier();
    }
  }
  EXPECT_EQ(points, 4);
  EXPECT_NE(base::read_file(folder.path() / "manifest.csv"), before[0]) << "the last one came through";
}

}  // namespace
}  // namespace quasar::curation
