#include "corpus/path_text.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace quasar::corpus {
namespace {

TEST(PathText, GoodTextStaysAsItIs) {
  for (const auto* text :
       {"", "/a/b.jpg", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "100%.jpg", "a%20b.jpg", "new\nline"}) {
    EXPECT_EQ(escaped_text(text), text);
    EXPECT_EQ(path_to_text(text), text);
    EXPECT_EQ(text_to_path(text), text);
  }
}

TEST(PathText, BadBytesAreEscaped) {
  EXPECT_EQ(escaped_text("caf\xE9.jpg"), "caf%E9.jpg");
  EXPECT_EQ(escaped_text("\xC0\x80"), "%C0%80") << "overlong";
  EXPECT_EQ(escaped_text("\xED\xA0\x80"), "%ED%A0%80") << "surrogate";
  EXPECT_EQ(escaped_text("\xF4\x90\x80\x80"), "%F4%90%80%80") << "beyond U+10FFFF";
  EXPECT_EQ(escaped_text("\xE2\x82"), "%E2%82") << "cut off";
  EXPECT_EQ(path_to_text("caf\xE9%.jpg"), "percent:caf%E9%25.jpg");
}

TEST(PathText, AnyBytesComeBack) {
  base::Random random(3);
  constexpr std::string_view kAlphabet = "a%2F/:\xFF\xC3\xA9\xE2percent";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = round % 3 == 0 ? "percent:" : "";
    for (std::uint64_t i = random.below(12); i > 0; --i)
      bytes.push_back(kAlphabet[random.below(kAlphabet.size())]);
    const std::string text = path_to_text(bytes);
    EXPECT_EQ(escaped_text(text), text);
    EXPECT_EQ(text_to_path(text).native(), bytes);
  }
}

}  // namespace
}  // namespace quasar::corpus
