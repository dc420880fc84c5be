#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string_view>

namespace quasar::base {
namespace {

TEST(Utf8, IsToldFromOtherBytes) {
  for (const std::string_view text :
       {"", "plain", "caf\u00e9", "\u54c1\u8d28", "\U0001F600", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(is_utf8(text)) << text;
  // A lone byte, cut short, overlong, a surrogate, beyond the last code point.
  for (const std::string_view text :
       {"\x80", "a\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80"})
    EXPECT_FALSE(is_utf8(text)) << text;
  EXPECT_EQ(utf8_sequence_length("\u00e9x"), 2U);
}

TEST(Printable, KeepsTextAndReplacesTheRest) {
  EXPECT_EQ(printable("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(printable("a\n\xFF\x1B"), "a???");
  EXPECT_EQ(printable(std::string(500, 'x')), std::string(120, 'x') + "...");
}

}  // namespace
}  // namespace quasar::base
