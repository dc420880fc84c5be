#include "corpus/corpus_config.h"
#include "corpus/sources/tar_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::corpus {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class CorpusConfigTest : public testing::Test {
 protected:
  CorpusConfigTest() {
    fs::create_directories(scratch_ / "photos");
    fs::create_directories(scratch_ / "tars/part-1");
    fs::create_directories(scratch_ / "tars/part-2");
    for (const auto* name : {"list.txt", "t.csv", "t.jsonl", "tars/8.tar", "tars/9.tar", "tars/10.tar",
                             "tars/part-1/0.tar", "tars/part-2/0.tar", "tars/a[1].tar"}) {
      base::write_file_atomically(scratch_ / name, "");
    }
  }
  /// The section `corpus` with @ for the scratch folder.
  CorpusConfig read(std::string text) const {
    for (auto at = text.find('@'); at != std::string::npos; at = text.find('@')) text.replace(at, 1, path());
    return corpus_config_from_yaml(base::ConfigNode::parse_text("corpus: " + text, "c.yaml").child("corpus"));
  }
  std::string error_of(const std::string& text) const {
    try {
      read(text);
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kConfig) << error.what();
      return error.what();
    }
    return "no error";
  }
  std::vector<std::string> names(const std::string& pattern) const {
    std::vector<std::string> result;
    for (const auto& tar : expand_tars({path() + "/tars/" + pattern})) {
      EXPECT_TRUE(fs::exists(tar.path));
      result.push_back(tar.name);
    }
    return result;
  }
  std::string path() const { return scratch_.path().string(); }

  test::ScratchFolder scratch_;
};

TEST_F(CorpusConfigTest, ReadsEveryKindOfSource) {
  EXPECT_EQ(read("{directory: @/photos/}").sources[0].path, scratch_ / "photos");
  EXPECT_EQ(read("{list: @/list.txt}").sources[0].root, scratch_.path());
  const auto table =
      read(
          "{table: @/t.csv, path_column: image, id_column: id, label_column: mos, group_column: ref, "
          "root: @/photos, fields: [a, b]}")
          .sources[0];
  EXPECT_EQ(table.kind, SourceKind::kTable);
  EXPECT_EQ(table.path_column, "image");
  EXPECT_EQ(table.root, scratch_ / "photos");
  EXPECT_THAT(table.fields, ElementsAre("a", "b"));
  EXPECT_EQ(read("{tar: ['@/tars/{8..9}.tar', '@/tars/1*.tar']}").sources[0].patterns.size(), 2U);
  const auto several = read("{sources: [{directory: @/photos, name: p}, {list: @/list.txt}], shard_size: 7}");
  EXPECT_EQ(several.shard_size, 7);
  EXPECT_EQ(several.sources[0].name, "p");
  EXPECT_EQ(several.sources[1].kind, SourceKind::kList);
}

TEST_F(CorpusConfigTest, KeysThatHaveTheirDefaultChangeNoDescription) {
  const auto same = [&](const std::string& plain, const std::string& spelt_out) {
    EXPECT_EQ(describe(read(plain).sources[0]), describe(read(spelt_out).sources[0]));
  };
  same("{directory: @/photos}", "{directory: @/photos, follow_links: false}");
  same("{table: @/t.csv}", "{table: @/t.csv, repeated: join}");
  EXPECT_EQ(describe(read("{tar: '@/tars/8.tar'}").sources[0]),
            "{\"kind\":\"tar\",\"tar\":[\"" + path() + "/tars/8.tar\"]}");
}

TEST_F(CorpusConfigTest, ReadsTheKeysOfEachKind) {
  const auto described = [&](const std::string& text) { return describe(read(text).sources[0]); };
  EXPECT_TRUE(read("{directory: @/photos, follow_links: true}").sources[0].follow_links);
  EXPECT_THAT(described("{directory: @/photos, follow_links: true}"), HasSubstr("\"follow_links\":true"));
  for (const auto* tab : {"tab", "\"\\t\"", "'\\t'"})
    EXPECT_EQ(read(std::string("{table: @/t.csv, separator: ") + tab + "}").sources[0].separator, '\t')
        << tab;
  EXPECT_THAT(described("{table: @/t.csv, separator: ';', repeated: rows}"),
              HasSubstr("\"separator\":\";\",\"repeated\":\"rows\""));
  EXPECT_EQ(read("{table: @/t.csv, repeated: first}").sources[0].repeated, Repeated::kFirst);
  const auto tar =
      read("{tar: '@/tars/8.tar', image_extensions: [.Input.JPG, png], caption: TXT}").sources[0];
  EXPECT_THAT(tar.image_extensions, ElementsAre("input.jpg", "png"));
  EXPECT_THAT(tar.caption_extensions, ElementsAre("txt"));
  EXPECT_THAT(describe(tar), HasSubstr("\"image_extensions\":[\"input.jpg\",\"png\"],\"caption\":[\"txt\"]"));
}

TEST_F(CorpusConfigTest, ErrorsNameTheKey) {
  EXPECT_THAT(error_of("{directory: @/nowhere}"),
              HasSubstr("c.yaml:1:10: corpus.directory: there is no folder"));
  EXPECT_THAT(error_of("{directory: @/list.txt}"), HasSubstr("is not a folder"));
  EXPECT_THAT(error_of("{table: @/photos}"), HasSubstr("corpus.table: "));
  EXPECT_THAT(error_of("{list: @/list.txt, root: @/nowhere}"), HasSubstr("corpus.root"));
  EXPECT_THAT(error_of("{tar: '@/tars/{8..11}.tar'}"), HasSubstr("corpus.tar: there is no tar"));
  EXPECT_THAT(error_of("{tar: '@/tars/x*.tar'}"), HasSubstr("matches no file"));
  EXPECT_THAT(error_of("{directry: @/photos}"), HasSubstr("did you mean \"directory\""));
  EXPECT_THAT(error_of("{directory: @/photos, label_column: x}"), HasSubstr("label_column: unknown key"));
  EXPECT_THAT(error_of("{directory: @/photos, list: @/list.txt}"), HasSubstr("more than one of"));
  EXPECT_THAT(error_of("{directory: @/photos, shard_size: 0}"), HasSubstr("out of range"));
  EXPECT_THAT(error_of("{directory: @/photos, suffixes: [jpg]}"), HasSubstr("begins with a dot"));
  EXPECT_THAT(error_of("{sources: [{directory: @/photos}, {directory: @/photos/}]}"), HasSubstr("already"));
  EXPECT_THAT(error_of("{table: @/t.csv, separator: ab}"), HasSubstr("corpus.separator: a separator is one"));
  EXPECT_THAT(error_of("{table: @/t.jsonl, separator: ';'}"), HasSubstr("t.jsonl is no CSV"));
  EXPECT_THAT(error_of("{table: @/t.csv, repeated: frist}"), HasSubstr("did you mean \"first\""));
  EXPECT_THAT(error_of("{tar: '@/tars/8.tar', image_extensions: []}"), HasSubstr("at least one extension"));
  EXPECT_THAT(error_of("{tar: '@/tars/8.tar', caption: a/b}"), HasSubstr("corpus.caption: an extension"));
  EXPECT_THAT(error_of("{sources: []}"), HasSubstr("at least one source"));
  EXPECT_THAT(error_of("photos"), HasSubstr("a map"));
  EXPECT_THAT(error_of("{table: @/t.csv, fields: [a, a]}"), HasSubstr("stands twice"));
}

TEST_F(CorpusConfigTest, ExpandsBracesAndGlobs) {
  EXPECT_THAT(names("{8..10}.tar"), ElementsAre("8.tar", "9.tar", "10.tar"));
  EXPECT_THAT(names("{9,8}.tar"), ElementsAre("9.tar", "8.tar"));
  EXPECT_THAT(names("[0-9].tar"), ElementsAre("8.tar", "9.tar"));
  EXPECT_THAT(names("part-*/0.tar"), ElementsAre("part-1/0.tar", "part-2/0.tar"));
  EXPECT_THAT(names("part-{1..2}/{0..0}.tar"), ElementsAre("part-1/0.tar", "part-2/0.tar"));
  EXPECT_THAT(names("part-1/0.tar"), ElementsAre("0.tar"));
  EXPECT_THAT(names("{part-{1,2}/0,8}.tar"), ElementsAre("part-1/0.tar", "part-2/0.tar", "8.tar"));
  EXPECT_THAT(names("a[1].tar"), ElementsAre("a[1].tar")) << "a file's own name is no pattern";
}

TEST_F(CorpusConfigTest, HostilePatternsEndInAnError) {
  std::string exploding;
  for (int i = 0; i < 30; ++i) exploding += "{a,b}";
  for (const std::string& pattern :
       std::vector<std::string>{"{0..99999999999}", "{0..18446744073709551615}", "{0..999999}{0..999999}",
                                "{a", "{}", "{a}", "{9..1}", "{18446744073709551616..1}", exploding}) {
    EXPECT_THROW(expand_tars({path() + "/" + pattern}), base::Error) << pattern;
  }
}

}  // namespace
}  // namespace quasar::corpus
