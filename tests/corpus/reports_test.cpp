// Public reports of tars, tables and folders that other tools choke on, by kind, and what becomes of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "corpus/plan.h"
#include "corpus/shard_reader.h"
#include "support/test_data.h"

namespace quasar::corpus {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;
using testing::ElementsAre;
using testing::IsEmpty;

/// What a report's input is read with, and what must come of it.
struct Report {
  const char* kind;
  const char* input;  ///< Below reports/.
  SourceKind source;
  void (*configure)(SourceConfig& config);
  Texts rows;      ///< "ID", then "=LABEL", then "|VALUE" of each field.
  Texts left_out;  ///< "COUNT REASON".
  Texts noted = {};
};

void caption_and_score(SourceConfig& config) {
  config.fields = {"caption"};
  config.label_column = "score";
}
void nothing(SourceConfig&) {}

const std::vector<Report>& reports() {
  static const std::vector<Report> all = {
      {"keys with dots",
       "tar-dotted-keys/dotted.tar",
       SourceKind::kTar,
       caption_and_score,
       {"dotted.tar/22.05.jpg=7.5|first", "dotted.tar/22.10.jpg=2.5|second", "dotted.tar/plain.jpg=5|third"},
       {}},
      {"descriptions with names of their own",
       "tar-dotted-keys/info-outputs.tar",
       SourceKind::kTar,
       [](SourceConfig& config) {
         config.fields = {"caption", "txt"};
         config.label_column = "score";
       },
       {"info-outputs.tar/s0.input.jpg|i0|first", "info-outputs.tar/s1.jpg|second|second",
        "info-outputs.tar/s2.jpg|third|", "info-outputs.tar/s3.jpg=7.5|x|", "info-outputs.tar/s4.jpg|x|"},
       {"1 labels that are no finite number"}},
      {"a key that says which caption",
       "tar-dotted-keys/info-outputs.tar",
       SourceKind::kTar,
       [](SourceConfig& config) {
         config.fields = {"caption"};
         config.caption_extensions = {"outputs.txt"};
         config.image_extensions = {"input.jpg"};
       },
       {"info-outputs.tar/s0.input.jpg|first"},
       {"4 images with other extensions", "4 samples without an image"}},
      {"suffixes in capitals, folders with dots",
       "tar-dotted-keys/dot.tar",
       SourceKind::kTar,
       [](SourceConfig& config) { config.fields = {"caption"}; },
       {"dot.tar/./0001.jpg|x", "dot.tar/./sub.v1/0002.JPG|y", "dot.tar/./sub.v1/0004.jpg.jpg|",
        "dot.tar/./sub.v1/0007.jpg|", "dot.tar/./sub.v1/0007.seg.png|"},
       {"3 files without an image suffix", "3 hidden files"}},
      {"several images of a sample",
       "tar-dotted-keys/dot.tar",
       SourceKind::kTar,
       [](SourceConfig& config) {
         config.image_extensions = {"jpg", "bmp"};
       },
       {"dot.tar/./0001.jpg", "dot.tar/./sub.v1/0002.JPG", "dot.tar/./sub.v1/0006.bmp",
        "dot.tar/./sub.v1/0007.jpg"},
       {"2 files without an image suffix", "3 hidden files", "2 images with other extensions"}},
      {"shards that hold nothing or are no tars",
       "tar-empty-shards/*.tar",
       SourceKind::kTar,
       nothing,
       {"00000.tar/a.jpg", "00000.tar/b.jpg", "00001.tar/a.jpg", "00006.tar/a.jpg", "00006.tar/b.jpg",
        "00007.tar/a.jpg", "00007.tar/b.jpg"},
       {"2 damaged places in tars", "1 files that are no tars: Git LFS pointers",
        "1 files that are no tars: HTML pages", "1 samples without an image", "1 tars of 0 bytes",
        "1 tars that hold nothing (only zeros)"}},
      {"hard and symbolic links",
       "tar-links-sparse/links.tar",
       SourceKind::kTar,
       nothing,
       {"links.tar/train/cat/0001.jpg", "links.tar/train/cat/0002.jpg", "links.tar/train/pet/0001.jpg",
        "links.tar/train/pet/0002.jpg"},
       {}},
      {"sparse members of GNU",
       "tar-links-sparse/gnu_real.tar",
       SourceKind::kTar,
       nothing,
       {"gnu_real.tar/./hard.jpg", "gnu_real.tar/./one.jpg", "gnu_real.tar/./two.jpg"},
       {"1 sparse files in tars (packed with tar -S)"}},
      {"sparse members of pax",
       "tar-links-sparse/pax_real.tar",
       SourceKind::kTar,
       nothing,
       {"pax_real.tar/./hard.jpg", "pax_real.tar/./one.jpg", "pax_real.tar/./two.jpg"},
       {"1 sparse files in tars (packed with tar -S)"}},
      {"NaN and Infinity in a tar's JSON",
       "json-nan/a.tar",
       SourceKind::kTar,
       [](SourceConfig& config) {
         config.fields = {"caption", "similarity"};
         config.label_column = "score";
       },
       {"a.tar/0001.jpg=7.5|a dog|", "a.tar/0002.jpg=2.5|a cat|0.31", "a.tar/0003.jpg=1|a hat|"},
       {"2 values that are no numbers (NaN, Infinity)"}},
      {"NaN in JSON lines",
       "json-nan/t.jsonl",
       SourceKind::kTable,
       [](SourceConfig& config) {
         config.fields = {"caption", "similarity"};
       },
       {"x/1.jpg|a dog|", "x/2.jpg|a cat|0.3"},
       {"1 values that are no numbers (NaN, Infinity)"}},
      {"five captions of a picture",
       "table-repeated-path/flickr.csv",
       SourceKind::kTable,
       [](SourceConfig& config) { config.fields = {"caption"}; },
       {"img/plain.jpg|caption 0\ncaption 1\ncaption 2\ncaption 3\ncaption 4", "img/with space.jpg|other"},
       {},
       {"4 rows joined with another row of their image (repeated: join)"}},
      {"a row for each caption",
       "table-repeated-path/flickr.csv",
       SourceKind::kTable,
       [](SourceConfig& config) {
         config.fields = {"caption"};
         config.repeated = Repeated::kRows;
       },
       {"img/plain.jpg|caption 0", "img/plain.jpg@2|caption 1", "img/plain.jpg@3|caption 2",
        "img/plain.jpg@4|caption 3", "img/plain.jpg@5|caption 4", "img/with space.jpg|other"},
       {},
       {"4 rows that name an image again, as images of their own (repeated: rows)"}},
      {"tabs under .csv",
       "table-repeated-path/openclip.csv",
       SourceKind::kTable,
       [](SourceConfig& config) {
         config.path_column = "filepath";
         config.fields = {"title"};
       },
       {"img/plain.jpg|a dog, running", "img/with space.jpg|a \"cat\""},
       {}},
      {"a label that is no number",
       "table-repeated-path/nan.csv",
       SourceKind::kTable,
       [](SourceConfig& config) { config.label_column = "score"; },
       {"img/plain.jpg", "img/with space.jpg=3.5"},
       {"1 labels that are no finite number"}},
  };
  return all;
}

std::string row_of(const Item& item) {
  std::string row = item.id;
  if (item.label) {
    std::ostringstream label;
    label << *item.label;
    row += "=" + label.str();
  }
  for (const auto& [name, value] : item.fields) row += "|" + value;
  return row;
}

Texts lines_of(const std::map<std::string, std::uint64_t>& counts) {
  Texts lines;
  for (const auto& [reason, count] : counts) lines.push_back(std::to_string(count) + " " + reason);
  return lines;
}

Plan plan_of(const SourceConfig& source) {
  CorpusConfig config;
  config.sources = {source};
  return Plan::make(config);
}

TEST(Reports, EachKindGivesItsRowsOrACount) {
  const auto folder = test::shared_data() / "data" / "reports";
  QUASAR_REQUIRE_DATA(folder);
  for (const auto& report : reports()) {
    SCOPED_TRACE(std::string(report.kind) + ": " + report.input);
    SourceConfig source;
    source.kind = report.source;
    source.path = folder / report.input;
    source.patterns = {source.path.string()};
    report.configure(source);
    const auto plan = plan_of(source);
    Texts rows;
    for (const auto& item : plan.read_items()) rows.push_back(row_of(item));
    EXPECT_EQ(rows, report.rows);
    EXPECT_EQ(lines_of(plan.left_out()), report.left_out);
    EXPECT_EQ(lines_of(plan.noted()), report.noted);
  }
}

TEST(Reports, LinksInTarsAreReadAsTheirTargets) {
  const auto folder = test::shared_data() / "data" / "reports" / "tar-links-sparse";
  QUASAR_REQUIRE_DATA(folder);
  for (const auto& [name, link, target] :
       {std::tuple("links.tar", 2, 0), std::tuple("links.tar", 3, 1), std::tuple("gnu_real.tar", 1, 0),
        std::tuple("pax_real.tar", 1, 0)}) {
    SourceConfig source;
    source.kind = SourceKind::kTar;
    source.patterns = {(folder / name).string()};
    const ShardReader reader(plan_of(source).read_items(), 1U << 20U);
    std::vector<std::byte> of_link;
    std::vector<std::byte> of_target;
    EXPECT_EQ(reader.read(static_cast<std::size_t>(link), of_link).status, base::RowStatus::kOk);
    EXPECT_EQ(reader.read(static_cast<std::size_t>(target), of_target).status, base::RowStatus::kOk);
    EXPECT_EQ(of_link, of_target);
    ASSERT_GT(of_link.size(), 3U);
    EXPECT_EQ(of_link[0], std::byte{0xFF});
  }
}

TEST(Reports, FoldersOfClassesThatAreLinks) {
  const auto picture = test::shared_data() / "data" / "reports" / "json-nan" / "x" / "1.jpg";
  QUASAR_REQUIRE_DATA(picture);
  // As links-to-folders/make.sh does.
  const test::ScratchFolder scratch;
  fs::create_directories(scratch / "real/cls1");
  fs::create_directories(scratch / "ds");
  fs::copy_file(picture, scratch / "real/cls1/a.jpg");
  fs::create_directory_symlink("../real/cls1", scratch / "ds/cls1");
  fs::create_directory_symlink(".", scratch / "ds/loop");
  SourceConfig source;
  source.path = scratch / "ds";
  testing::internal::CaptureStderr();
  EXPECT_THAT(lines_of(plan_of(source).left_out()), ElementsAre("2 links to folders"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("warning: "));
  source.follow_links = true;
  const auto items = plan_of(source).read_items();
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].id, "cls1/a.jpg");
  EXPECT_THAT(lines_of(plan_of(source).left_out()),
              ElementsAre("1 folders met a second time, through links"));
}

}  // namespace
}  // namespace quasar::corpus
