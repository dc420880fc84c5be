// WebDataset tars as the corpus of a run: what can be read is scored, and each row of the manifest leads back
// to the bytes it stands for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <stdexcept>

#include "base/checksum.h"
#include "corpus/tar_builder.h"
#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using quasar::corpus::TarBuilder;
using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int kTars = 4;
constexpr int kSamples = 6;  ///< Of each tar.
constexpr int kCutTar = 2;
constexpr int kDamagedTar = 3;

/// Output of a shell command.
std::string shell(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> block{};
  for (std::size_t got = 0; (got = std::fread(block.data(), 1, block.size(), pipe.get())) > 0;)
    output.append(block.data(), got);
  return output;
}

std::string xxh128(const std::string& bytes) {
  return quasar::base::xxh128_hex(std::as_bytes(std::span(bytes)));
}

using Rows = std::map<std::string, nlohmann::json>;

class TarRunTest : public testing::Test {
 protected:
  /// A configuration with a run directory of its own; `corpus` is the inside of that section.
  std::string config(const std::string& name, const std::string& corpus) const {
    auto path = (scratch_ / (name + ".yaml")).string();
    write_text(path, "run: " + run(name).string() + "\ncorpus: {" + corpus +
                         "}\nencoder: {batch_size: 4}\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
    return path;
  }
  fs::path run(const std::string& name) const { return scratch_ / ("run-" + name); }
  /// Of the manifest, by id.
  Rows rows(const std::string& name) const {
    Rows found;
    std::istringstream lines(content(run(name) / "manifest.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      auto row = nlohmann::json::parse(line);
      const auto id = row["id"].get<std::string>();
      EXPECT_TRUE(found.emplace(id, std::move(row)).second) << id << " stands twice";
    }
    return found;
  }
  /// What lies at a row's place in its tar.
  static std::string bytes_of(const nlohmann::json& row) {
    const auto tar = content(row["source"].get<std::string>());
    const auto offset = row["offset"].get<std::size_t>();
    return offset > tar.size() ? "" : tar.substr(offset, row["bytes"].get<std::size_t>());
  }

  ScratchFolder scratch_;
};

/// Tars with the layout of img2dataset: .jpg, .txt and .json per key.
class ScrapeTest : public TarRunTest {
 protected:
  struct Sample {
    std::string id;
    std::string tar;
    std::string image;
    std::string url;
    std::string caption;
    std::string status = "ok";
  };

  void SetUp() override {
    const auto outcome = render_scenes(scratch_ / "pictures", {"--count", std::to_string(kTars * kSamples),
                                                               "--width", "96", "--height", "80"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    std::vector<fs::path> pictures;
    for (const auto& entry : fs::directory_iterator(scratch_ / "pictures")) pictures.push_back(entry.path());
    std::sort(pictures.begin(), pictures.end());
    fs::create_directories(scratch_ / "scrape");
    for (int tar = 0; tar < kTars; ++tar) {
      TarBuilder builder;
      for (int i = 0; i < kSamples; ++i) {
        const int number = tar * kSamples + i;
        add(builder, tar, i, content(pictures[static_cast<std::size_t>(number)]));
      }
      write_text(tar_path(tar), tar == kCutTar ? cut(builder) : builder.finish());
    }
  }

  fs::path tar_path(int tar) const {
    return scratch_ / "scrape" / ("shard-0000" + std::to_string(tar) + ".tar");
  }
  std::string corpus() const {
    return "tar: \"" + (scratch_ / "scrape" / "shard-{00000..00003}.tar").string() +
           "\", fields: [url, caption], shard_size: 7";
  }

  /// Adds a sample; those of the damaged tar in their own ways.
  void add(TarBuilder& builder, int tar, int number, const std::string& image) {
    const auto key = "0000" + std::to_string(tar) + "000" + std::to_string(number);
    // The suffix is the layout's; decoding goes by content.
    Sample sample{"shard-0000" + std::to_string(tar) + ".tar/" + key + ".jpg", tar_path(tar).string(), image,
                  "https://example.org/" + key + "?a=1,2&b=\"x\"",
                  "Foto Nr. " + std::to_string(number) + ", \"schön\"\nund groß"};
    nlohmann::json json = {{"url", sample.url},
                           {"key", key},
                           {"status", "success"},
                           {"width", 96},
                           {"height", 80},
                           {"exif", "{}"},
                           {"sha256", quasar::base::sha256_hex(image)}};
    // img2dataset writes the caption into both; the text file alone must do.
    if (number % 2 == 0) json["caption"] = sample.caption;
    const bool damaged = tar == kDamagedTar;
    const auto name = key + ".jpg";
    if (damaged && number == 1) {
      auto header = TarBuilder::header(name, image.size());
      header[3] = static_cast<char>(header[3] ^ 1);
      builder.raw(header).raw(TarBuilder::padded(image));
    } else if (damaged && number == 3) {
      sample.image.replace(image.size() / 2, 64, std::string(64, '\xA5'));
      sample.status = "decode_failed";
      builder.add(name, sample.image);
    } else if (damaged && number == 4) {
      sample.image.clear();
      sample.status = "empty";
      builder.add(name, "");
    } else {
      builder.add(name, image);
    }
    if (!(damaged && number == 5)) {
      builder.add(key + ".txt", sample.caption + "\n").add(key + ".json", json.dump());
    } else {
      // A description that is cut off costs its fields, not its picture.
      builder.add(key + ".json", json.dump().substr(0, 20));
      sample.url.clear();
      sample.caption.clear();
    }
    if (!(damaged && number == 1)) samples_.push_back(std::move(sample));
  }

  /// The tar up to the middle of its last picture.
  std::string cut(const TarBuilder& builder) {
    auto& last = samples_.back();
    const auto at = builder.text().rfind(last.image);
    last.status = "archive_corrupt";
    // What describes a sample follows its picture.
    last.url.clear();
    last.caption.clear();
    return builder.text().substr(0, at + last.image.size() / 2);
  }

  std::vector<Sample> samples_;
};

TEST_F(ScrapeTest, EveryPictureHasARowThatLeadsBackToItsBytes) {
  const auto outcome = run_quasar({"run", config("one", corpus())}, 1);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("damaged places in tars"));
  EXPECT_THAT(outcome.output, HasSubstr("shard-00002.tar"));
  const auto found = rows("one");
  ASSERT_EQ(samples_.size(), static_cast<std::size_t>(kTars * kSamples - 1)) << "all but the lost one";
  EXPECT_EQ(found.size(), samples_.size());
  for (const auto& sample : samples_) {
    ASSERT_EQ(found.count(sample.id), 1U) << sample.id;
    const auto& row = found.at(sample.id);
    EXPECT_EQ(row["status"], sample.status) << row;
    EXPECT_EQ(row["source"], sample.tar);
    EXPECT_EQ(row["member"], sample.id.substr(sample.id.find('/') + 1));
    EXPECT_EQ(row["fields"]["url"], sample.url) << row;
    EXPECT_EQ(row["fields"]["caption"], sample.caption) << row;
    EXPECT_EQ(row["rank"].is_number(), sample.status == "ok") << row;
    EXPECT_EQ(row["quality"].is_number(), sample.status == "ok") << row;
    if (sample.status == "archive_corrupt" || sample.status == "empty") {
      // Nothing was read that could have been hashed.
      EXPECT_EQ(row["hash"], "");
      EXPECT_EQ(row["bytes"], 0);
      continue;
    }
    EXPECT_EQ(row["bytes"], sample.image.size());
    EXPECT_TRUE(bytes_of(row) == sample.image) << "other bytes at " << row["offset"] << " of " << sample.id;
    EXPECT_EQ(row["hash"], xxh128(bytes_of(row)));
  }
}

TEST_F(ScrapeTest, TheManifestIsByteIdenticalOnOneAndThreeRanks) {
  for (const int ranks : {1, 3}) {
    const auto outcome = run_quasar({"run", config("ranks" + std::to_string(ranks), corpus())}, ranks);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }
  for (const char* file : {"plan.json", "items.jsonl", "manifest.csv", "manifest.jsonl"}) {
    EXPECT_FALSE(content(run("ranks1") / file).empty()) << file;
    EXPECT_EQ(content(run("ranks3") / file), content(run("ranks1") / file)) << file;
  }
}

TEST_F(ScrapeTest, ATarThatChangedSinceThePlanIsNotReadAtItsOldPlaces) {
  const auto path = config("changed", corpus());
  ASSERT_EQ(run_quasar({"plan", path, "--freeze"}).status, 0);
  write_text(tar_path(1), std::string(512, 'x') + content(tar_path(1)));
  const auto outcome = run_quasar({"run", path}, 2);
  EXPECT_EQ(outcome.status, 6) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("shard-00001.tar had"));
  EXPECT_FALSE(fs::exists(run("changed") / "manifest.csv"));
}

TEST_F(TarRunTest, RealTarsOfOthersAreScored) {
  const auto data = shared_data() / "data" / "tar";
  QUASAR_REQUIRE_DATA(data);
  const auto path =
      config("real", "sources: [{tar: \"" + (data / "clip-retrieval" / "image{1..4}.tar").string() +
                         "\"}, {tar: [\"" + (data / "nemo-curator" / "*.tar").string() + "\", \"" +
                         (data / "webdataset" / "*.tar").string() + "\"]}]");
  const auto outcome = run_quasar({"run", path}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto found = rows("real");
  EXPECT_EQ(found.size(), 12U) << "4, 3, 2 and 2 pictures of one set, 1 of the other";
  for (const auto& [id, row] : found) {
    // The pictures of the other set have 4 pixels a side.
    EXPECT_EQ(row["status"], id.starts_with("image") ? "ok" : "too_small") << row;
    // What another program takes out of the tar.
    const auto member = shell("tar -xOf '" + row["source"].get<std::string>() + "' '" +
                              row["member"].get<std::string>() + "'");
    EXPECT_FALSE(member.empty()) << id;
    EXPECT_TRUE(bytes_of(row) == member) << id;
    EXPECT_EQ(row["hash"], xxh128(member)) << id;
  }
}

TEST_F(TarRunTest, ACompressedTarIsRefusedAndItsUnpackedSelfRead) {
  const auto packed = shared_data() / "data" / "tar" / "webdataset" / "sample.tgz";
  QUASAR_REQUIRE_DATA(packed);
  const auto refused = run_quasar({"run", config("packed", "tar: " + packed.string())}, 2);
  EXPECT_EQ(refused.status, 4) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("gunzip"));
  write_text(scratch_ / "sample.tar", shell("gzip -dc '" + packed.string() + "'"));
  const auto path =
      config("unpacked", "tar: " + (scratch_ / "sample.tar").string() + ", label_column: cls, fields: [cls]");
  const auto outcome = run_quasar({"run", path}, 2);
  // Digits of 28 pixels a side, none of them enough for the encoder.
  ASSERT_EQ(outcome.status, 8) << outcome.output;
  const auto found = rows("unpacked");
  EXPECT_EQ(found.size(), 90U);
  for (const auto& [id, row] : found) {
    EXPECT_EQ(row["status"], "too_small") << row;
    EXPECT_EQ(row["hash"], xxh128(bytes_of(row))) << id;
    const auto key = row["member"].get<std::string>();
    const auto label = shell("tar -xOf '" + (scratch_ / "sample.tar").string() + "' '" +
                             key.substr(0, key.find('.')) + ".cls'");
    EXPECT_EQ(row["fields"]["cls"], label) << id;
    EXPECT_EQ(row["label"].get<double>(), std::stod(label)) << id;
  }
}

}  // namespace
