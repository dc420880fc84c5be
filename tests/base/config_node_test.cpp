#include "base/config_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/test_data.h"

namespace quasar::base {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string error_of(const std::function<void()>& work, ExitCode expected = ExitCode::kConfig) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(ConfigNode, ReadsTypedValuesAndFallsBack) {
  const auto root = ConfigNode::parse_text("a: {n: 3, x: 0.5, on: true, s: hello, size: 2 MiB}\n", "c.yaml");
  const auto a = root.child("a");
  EXPECT_EQ(a.get<std::int64_t>("n", 0), 3);
  EXPECT_DOUBLE_EQ(a.get<double>("x", 0), 0.5);
  EXPECT_TRUE(a.get<bool>("on", false));
  EXPECT_EQ(a.get<std::string>("s", ""), "hello");
  EXPECT_EQ(a.get<std::int64_t>("size", 0), 2 << 20);
  EXPECT_EQ(a.get<int>("absent", 7), 7);
  root.finish();
}

TEST(ConfigNode, UnknownKeyIsNamedWithPlaceAndNearestKey) {
  const auto root = ConfigNode::parse_text("decode:\n  max_pixls: 5\n", "c.yaml");
  const auto decode = root.child("decode");
  decode.get<int>("max_pixels", 1);
  const auto text = error_of([&] { root.finish(); });
  EXPECT_THAT(text,
              AllOf(HasSubstr("c.yaml:2:3"), HasSubstr("decode.max_pixls"), HasSubstr("\"max_pixels\"")));
}

TEST(ConfigNode, WrongTypeAndRangeAreErrorsWithPlace) {
  const auto root = ConfigNode::parse_text("n: many\nm: 99\nb: \"true\"\n", "c.yaml");
  EXPECT_THAT(error_of([&] { root.get<int>("n", 0); }),
              AllOf(HasSubstr("c.yaml:1:1"), HasSubstr("whole number")));
  EXPECT_THAT(error_of([&] { root.get_in<int>("m", 0, 1, 10); }),
              AllOf(HasSubstr("99"), HasSubstr("1 and 10")));
  EXPECT_THAT(error_of([&] { root.get<bool>("b", false); }), HasSubstr("true or false"));
  EXPECT_THAT(error_of([&] { root.require<int>("absent"); }), HasSubstr("\"absent\" is missing"));
}

TEST(ConfigNode, NumbersAreNotRoundedOrTruncated) {
  const auto root =
      ConfigNode::parse_text("a: 1.5\nb: 99999999999999999999\nc: 3000000000\nd: 9e999\n", "c.yaml");
  error_of([&] { root.get<int>("a", 0); });
  error_of([&] { root.get<std::int64_t>("b", 0); });
  error_of([&] { root.get<int>("c", 0); });
  error_of([&] { root.get<double>("d", 0); });
}

TEST(ConfigNode, EnumErrorListsTheNames) {
  enum class Mode { kExact, kFast };
  const auto root = ConfigNode::parse_text("mode: fsat\n", "c.yaml");
  const std::vector<std::pair<std::string_view, Mode>> names = {{"exact", Mode::kExact},
                                                                {"fast", Mode::kFast}};
  EXPECT_THAT(error_of([&] { root.get_enum("mode", Mode::kExact, names); }),
              AllOf(HasSubstr("exact, fast"), HasSubstr("did you mean \"fast\"")));
}

TEST(ConfigNode, OverridesReplaceAndCreate) {
  const auto root = ConfigNode::parse_text("a: {b: 1}\n", "c.yaml", {"a.b=2", "x.y=[1, 2]"});
  EXPECT_EQ(root.child("a").get<int>("b", 0), 2);
  EXPECT_EQ(root.child("x").child("y").elements().size(), 2U);
  root.finish();
  const auto again = ConfigNode::parse_text(root.dump(), "dump");
  EXPECT_EQ(again.child("a").get<int>("b", 0), 2);
  EXPECT_EQ(again.child("x").child("y").elements()[1].as<int>(), 2);
}

TEST(ConfigNode, ErrorOfAnOverrideNamesTheOverride) {
  const auto root = ConfigNode::parse_text("a: 1\n", "c.yaml", {"b=2"});
  root.get<int>("a", 0);
  EXPECT_THAT(error_of([&] { root.finish(); }), HasSubstr("--set b=2"));
  error_of([] { ConfigNode::parse_text("a: 1\n", "c.yaml", {"novalue"}); }, ExitCode::kUsage);
  error_of([] { ConfigNode::parse_text("a: 1\n", "c.yaml", {"a.b=1"}); }, ExitCode::kUsage);
}

TEST(ConfigNode, HostileTextIsRefused) {
  error_of([] { ConfigNode::parse_text("a: [1, 2\n", "c.yaml"); });
  error_of([] { ConfigNode::parse_text("a: 1\na: 2\n", "c.yaml"); });
  error_of([] { ConfigNode::parse_text("- 1\n- 2\n", "c.yaml"); });
  error_of([] { ConfigNode::parse_text(std::string(100000, '['), "c.yaml"); });
  error_of([] { ConfigNode::parse_text("? [a, b]\n: 1\n", "c.yaml"); });
  std::string bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string p = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + p;
    for (int j = 0; j < 9; ++j) bomb += "," + p;
    bomb += "]\n";
  }
  EXPECT_THAT(error_of([&] { ConfigNode::parse_text(bomb, "c.yaml"); }), HasSubstr("million"));
  error_of([] { ConfigNode::parse_file("/nonexistent/c.yaml"); }, ExitCode::kInput);
}

TEST(ConfigNode, ASecondDocumentIsRefusedInsteadOfLeftOut) {
  EXPECT_THAT(error_of([] { ConfigNode::parse_text("a: 1\n---\nb: 2\n", "c.yaml"); }),
              AllOf(HasSubstr("c.yaml:3:1"), HasSubstr("second document")));
  EXPECT_THAT(error_of([] { ConfigNode::parse_text("---\n---\nb: 2\n", "c.yaml"); }),
              HasSubstr("c.yaml:3:1"));
  EXPECT_THAT(error_of([] { ConfigNode::parse_text("a: 1\n", "c.yaml", {"a=2\n---\n3"}); }),
              HasSubstr("second document"));
  for (const char* text : {"---\na: 1\n", "a: 1\n---\n", "%YAML 1.2\n---\na: 1\n...\n", "# words\n---\na: 1"})
    EXPECT_EQ(ConfigNode::parse_text(text, "c.yaml").require<int>("a"), 1) << text;
}

TEST(ConfigNode, AWrongUnitOfASizeIsAnsweredWithTheRightOnes) {
  const auto root = ConfigNode::parse_text("a: 100MB\nb: 1.5GiB\nc: many\n", "c.yaml");
  for (const char* key : {"a", "b"})
    EXPECT_THAT(error_of([&] { root.get<std::int64_t>(key, 0); }), HasSubstr("KiB, MiB or GiB"));
  EXPECT_THAT(error_of([&] { root.get<std::int64_t>("c", 0); }), testing::Not(HasSubstr("MiB")));
}

TEST(ConfigNode, AFileThatCannotBeOneSaysWhatItIs) {
  const test::ScratchFolder scratch;
  EXPECT_THAT(error_of([&] { ConfigNode::parse_file(scratch.path()); }, ExitCode::kInput),
              HasSubstr("is a directory"));
  EXPECT_THAT(error_of([&] { ConfigNode::parse_file(std::string(300, 'n')); }, ExitCode::kInput),
              HasSubstr("File name too long"));
}

}  // namespace
}  // namespace quasar::base
