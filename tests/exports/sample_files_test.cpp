#include "exports/sample_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "corpus/path_text.h"
#include "corpus/tar_builder.h"
#include "support/test_data.h"

namespace quasar::exports {
namespace {

using corpus::TarBuilder;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class SampleFilesTest : public testing::Test {
 protected:
  /// Extension and short extension of each file found.
  std::vector<std::pair<std::string, std::string>> found(const corpus::Item& item,
                                                         const corpus::CorpusConfig& corpus) {
    SampleFiles files(corpus, 1 << 20U);
    std::vector<std::pair<std::string, std::string>> names;
    for (const auto& file : files.find(item, notes_)) names.emplace_back(file.extension, file.plain);
    return names;
  }
  corpus::Item in_folder(const std::string& name) const {
    corpus::Item item;
    item.source = (scratch_ / name).string();
    return item;
  }
  corpus::Item in_tar(const std::string& name, std::uint64_t offset) const {
    corpus::Item item;
    item.source = (scratch_ / "a.tar").string();
    item.member = name;
    item.offset = offset;
    return item;
  }
  static corpus::CorpusConfig sources(std::vector<std::string> image_extensions = {}) {
    corpus::CorpusConfig config;
    config.sources.emplace_back();
    config.sources[0].image_extensions = std::move(image_extensions);
    return config;
  }

  test::ScratchFolder scratch_;
  Notes notes_;
};

TEST_F(SampleFilesTest, OfAFolderByKeyAndOtherPicturesApart) {
  for (const char* const name : {"a.jpg", "a.txt", "a.JSON", "a.png", "ab.txt", "a", ".a.txt", "a.seg.npy"})
    base::write_file_atomically(scratch_ / name, "x");
  std::filesystem::create_directory(scratch_ / "a.dir");
  EXPECT_THAT(found(in_folder("a.jpg"), sources()),
              ElementsAre(Pair("json", "json"), Pair("seg.npy", "seg.npy"), Pair("txt", "txt")));
  EXPECT_THAT(notes_, ElementsAre(Pair("files without an extension beside pictures, not copied", 1)));
  EXPECT_THAT(found(in_folder("none/a.jpg"), sources()), IsEmpty());
}

TEST_F(SampleFilesTest, ADescriptionOfOnePictureOfSeveralIsItsAlone) {
  TarBuilder builder;
  for (const char* const name : {"s.0.jpg", "s.0.txt", "s.1.jpg", "s.1.txt", "s.json", "t.jpg", "t.txt"})
    builder.add(name, "x");
  base::write_file_atomically(scratch_ / "a.tar", builder.finish());
  EXPECT_THAT(found(in_tar("s.0.jpg", 512), sources()),
              ElementsAre(Pair("0.txt", "txt"), Pair("json", "json")));
  EXPECT_THAT(found(in_tar("s.1.jpg", 2 * 1024 + 512), sources()),
              ElementsAre(Pair("1.txt", "txt"), Pair("json", "json")));
  EXPECT_THAT(found(in_tar("t.jpg", 5 * 1024 + 512), sources()), ElementsAre(Pair("txt", "txt")));
  EXPECT_THAT(found(in_tar("t.jpg", 512), sources()), IsEmpty()) << "another member lies there";
}

TEST_F(SampleFilesTest, WhatTheCorpusDoesNotTakeForAPictureIsOfTheSample) {
  TarBuilder builder;
  for (const char* const name : {"s.input.jpg", "s.edited.jpg", "s.txt"}) builder.add(name, "x");
  base::write_file_atomically(scratch_ / "a.tar", builder.finish());
  EXPECT_THAT(found(in_tar("s.input.jpg", 512), sources({"input.jpg"})),
              ElementsAre(Pair("edited.jpg", "edited.jpg"), Pair("txt", "txt")));
}

TEST_F(SampleFilesTest, LinksLeadToTheirFilesAndDevicesAreCounted) {
  TarBuilder builder;
  builder.add("common.txt", "shared")
      .add("s.jpg", "x")
      .link("s.txt", "common.txt", '1')
      .add("s.fifo", "", '6');
  base::write_file_atomically(scratch_ / "a.tar", builder.finish());
  SampleFiles files(sources(), 1 << 20U);
  const auto all = files.find(in_tar("s.jpg", 1024 + 512), notes_);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].extension, "txt");
  EXPECT_EQ(all[0].offset, 512U);
  EXPECT_EQ(all[0].size, 6U);
  EXPECT_THAT(notes_, ElementsAre(Pair("members that are no plain files beside pictures, not copied", 1)));
}

TEST_F(SampleFilesTest, WhatIsNoTarHasNone) {
  base::write_file_atomically(scratch_ / "a.tar", "no tar at all");
  EXPECT_THAT(found(in_tar("s.jpg", 512), sources()), IsEmpty());
}

}  // namespace
}  // namespace quasar::exports
