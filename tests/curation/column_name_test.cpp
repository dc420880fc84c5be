#include "curation/column_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quasar::curation {
namespace {

using testing::HasSubstr;

TEST(ColumnName, MayBeWordsOfAnyScript) {
  for (const char* name :
       {"quality", "mini-quality_2", "a.b", "h5", "qualit\u00e9", "\u54c1\u8d28", "two words", "-"})
    EXPECT_EQ(fault_of_name(name), "") << name;
  EXPECT_EQ(fault_of_name(std::string(kMaxNameBytes, 'a')), "");
}

TEST(ColumnName, IsRefusedWhereItCannotBeAColumnOrAFile) {
  EXPECT_THAT(fault_of_name(""), HasSubstr("cannot be named ''"));
  for (const char* name : {"status", "combined", "rank", "label", "group"})
    EXPECT_THAT(fault_of_name(name), HasSubstr("has a column of that name")) << name;
  for (const char* name : {"a/b", "/", "a/", "../../evil"})
    EXPECT_THAT(fault_of_name(name), HasSubstr("'/'")) << name;
  for (const char* name : {".", "..", ".hidden"})
    EXPECT_THAT(fault_of_name(name), HasSubstr("begin with a dot")) << name;
  EXPECT_THAT(fault_of_name("quality.h5"), HasSubstr("file of 'quality'"));
  EXPECT_THAT(fault_of_name(std::string(kMaxNameBytes + 1, 'a')), HasSubstr("101 bytes long"));
}

TEST(ColumnName, IsNotRepeatedInAMessageThatItWouldSpoil) {
  for (const std::string& name :
       {std::string("x\ny"), std::string("x\0y", 3), std::string("\x7F"), std::string("a\xC2\x85")}) {
    EXPECT_EQ(fault_of_name(name),
              "the name of an anchor set contains a line break or another control character");
  }
  for (const char* name : {"\xFF", "a\xC3", "\xED\xA0\x80"})
    EXPECT_EQ(fault_of_name(name), "the name of an anchor set is not UTF-8");
}

TEST(ColumnName, ThatIsNotThereIsToldWithTheNearest) {
  EXPECT_EQ(
      unknown_column("qualty", {"quality", "beauty"}),
      "there is no anchor set 'qualty'; there are quality, beauty, and combined; did you mean 'quality'?");
  EXPECT_THAT(unknown_column("sharpness", {"quality"}), testing::Not(HasSubstr("did you mean")));
  EXPECT_THAT(unknown_column("quality", {}), HasSubstr("anchors is empty"));
}

}  // namespace
}  // namespace quasar::curation
