#include "plot/markup.h"

#include <gtest/gtest.h>

namespace quasar::plot {
namespace {

TEST(Markup, EscapesWhatHtmlAndXmlForbid) {
  EXPECT_EQ(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escaped("x\x01y\x7Fz"), "x\xEF\xBF\xBDy\xEF\xBF\xBDz");
  EXPECT_EQ(escaped("one\r\n\ttwo"), "one   two");
  EXPECT_EQ(escaped("\xFF\xC3("), "\xEF\xBF\xBD\xEF\xBF\xBD(") << "no UTF-8";
  EXPECT_EQ(escaped("\xC2\x85"), "\xEF\xBF\xBD") << "a control character of two bytes";
  EXPECT_EQ(escaped("\xEF\xBF\xBF"), "\xEF\xBF\xBD") << "no character of XML";
  EXPECT_EQ(escaped("Gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\x84"), "Gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\x84");
}

TEST(Markup, Base64OfTheTestVectorsOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
}

TEST(Markup, LinesBreakAtSpacesAndLongWordsStayWhole) {
  std::string_view text = "one two three incomprehensibilities end";
  EXPECT_EQ(first_words(text, 8), "one two");
  EXPECT_EQ(first_words(text, 8), "three");
  EXPECT_EQ(first_words(text, 8), "incomprehensibilities");
  EXPECT_EQ(first_words(text, 8), "end");
  EXPECT_TRUE(text.empty());
}

}  // namespace
}  // namespace quasar::plot
