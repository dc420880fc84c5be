#include "anchors/splits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/errors.h"
#include "support/safetensors_reader.h"
#include "support/test_data.h"

namespace quasar::anchors {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAreArray;

const std::filesystem::path kFolder = test::test_file("golden/aggregation");

std::vector<LabelledRow> no_reference_rows(const std::string& file) {
  const auto json = nlohmann::json::parse(std::ifstream(kFolder / file));
  std::vector<LabelledRow> rows;
  for (const auto& entry : json.at("results_paths")) {
    const auto item = entry.items().begin();
    rows.push_back({static_cast<std::int64_t>(rows.size()), item.value().get<double>(),
                    std::filesystem::path(item.key()).filename().string(), "", true});
  }
  return rows;
}

std::vector<LabelledRow> full_reference_rows() {
  const auto json = nlohmann::json::parse(std::ifstream(kFolder / "fr_pipal.json"));
  std::vector<LabelledRow> rows;
  for (const auto& path : json.at("results_paths")) {
    const auto stem = std::filesystem::path(path.get<std::string>()).stem().string();
    const auto underscore = stem.find('_');
    rows.push_back({static_cast<std::int64_t>(rows.size()), 0, stem,
                    underscore == std::string::npos ? "" : stem.substr(0, underscore), true});
  }
  return rows;
}

TEST(Splits, ChooseTheRowsOfTheReferenceImplementation) {
  const test::SafetensorsReader io(kFolder / "io.safetensors");
  const auto ava = no_reference_rows("nr_ava.json");
  for (const auto& [tag, offset] : std::vector<std::pair<std::string, std::optional<double>>>{
           {"nr_mean", {}}, {"nr_offset0.2", 0.2}, {"nr_offset0.5", 0.5}}) {
    const auto split = split_no_reference(ava, offset, 1.0, 42);
    EXPECT_EQ(split.median, 5.4);
    EXPECT_THAT(split.good, UnorderedElementsAreArray(io.values<std::int64_t>(tag + ".used_ref_indices")))
        << tag;
    EXPECT_THAT(split.bad, UnorderedElementsAreArray(io.values<std::int64_t>(tag + ".used_dist_indices")))
        << tag;
  }
  const auto large = split_no_reference(no_reference_rows("nr_ava_large.json"), {}, 1.0, 42);
  EXPECT_EQ(large.median, 5.3125);
  const auto full = split_full_reference(full_reference_rows(), 1.0, 42);
  EXPECT_THAT(full.good, UnorderedElementsAreArray(io.values<std::int64_t>("fr_mean.used_ref_indices")));
  EXPECT_THAT(full.bad, UnorderedElementsAreArray(io.values<std::int64_t>("fr_mean.used_dist_indices")));
}

TEST(Splits, RatioKeepsAsManyRowsAsTheReferenceImplementation) {
  const auto ava = split_no_reference(no_reference_rows("nr_ava.json"), 0.2, 0.5, 1);
  EXPECT_EQ(ava.good.size(), 76U);
  EXPECT_EQ(ava.bad.size(), 76U);
  EXPECT_EQ(ava.good_before, 152);
  const auto rows = full_reference_rows();
  const auto full = split_full_reference(rows, 0.5, 1);
  EXPECT_EQ(full.good.size(), 20U);
  for (const auto number : full.bad) {
    const auto& reference = rows[static_cast<std::size_t>(number)].reference;
    EXPECT_TRUE(std::any_of(full.good.begin(), full.good.end(), [&](auto good) {
      return rows[static_cast<std::size_t>(good)].image == reference;
    }));
  }
}

TEST(Splits, AreDrawnByTheSeedAlone) {
  const auto rows = no_reference_rows("nr_ava.json");
  EXPECT_EQ(split_no_reference(rows, {}, 0.3, 7).good, split_no_reference(rows, {}, 0.3, 7).good);
  EXPECT_NE(split_no_reference(rows, {}, 0.3, 7).good, split_no_reference(rows, {}, 0.3, 8).good);
}

TEST(Splits, HalvesRoundToEven) {
  EXPECT_EQ(rounded_share(5, 0.5), 2);
  EXPECT_EQ(rounded_share(7, 0.5), 4);
  EXPECT_EQ(rounded_share(211, 0.5), 106);
}

TEST(Splits, TheMedianItselfIsBadAndFailedRowsAreLeftOut) {
  const std::vector<LabelledRow> rows = {{0, 1, "a", "", true},
                                         {1, 2, "b", "", true},
                                         {2, 3, "c", "", true},
                                         {3, 9, "d", "", false},
                                         {4, NAN, "e", "", true}};
  const auto split = split_no_reference(rows, {}, 1.0, 1);
  EXPECT_THAT(split.good, ElementsAre(2));
  EXPECT_THAT(split.bad, ElementsAre(0, 1));
}

TEST(Splits, NamesAreToldApartByTheirKeys) {
  EXPECT_TRUE(NameKey("").empty());
  EXPECT_TRUE(NameKey().empty());
  EXPECT_FALSE(NameKey("a").empty());
  EXPECT_EQ(NameKey("a.png"), NameKey(std::string("a.png")));
  std::vector<NameKey> keys;
  keys.reserve(20000);
  for (int i = 0; i < 20000; ++i) keys.emplace_back("photo-" + std::to_string(i) + ".jpg");
  std::sort(keys.begin(), keys.end(), [](const NameKey& a, const NameKey& b) {
    return std::pair(a.high, a.low) < std::pair(b.high, b.low);
  });
  EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
  EXPECT_LE(sizeof(LabelledRow), 56U) << "millions of them lie on every rank";
}

TEST(Splits, ImpossibleDataIsAnInputError) {
  const std::vector<LabelledRow> equal = {{0, 1, "a", "", true}, {1, 1, "b", "", true}};
  EXPECT_THROW(split_no_reference(equal, {}, 1.0, 1), base::Error);
  EXPECT_THROW(split_no_reference({}, {}, 1.0, 1), base::Error);
  EXPECT_THROW(split_full_reference(equal, 1.0, 1), base::Error);
  const std::vector<LabelledRow> orphan = {{0, 0, "a", "", true}, {1, 0, "x", "gone", true}};
  try {
    split_full_reference(orphan, 1.0, 1,
                         [](std::int64_t number) { return "picture " + std::to_string(number); });
    ADD_FAILURE() << "no error";
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("picture 1"));
  }
}

}  // namespace
}  // namespace quasar::anchors
