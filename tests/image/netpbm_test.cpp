#include "image/netpbm.h"

#include <gtest/gtest.h>

#include <string>

namespace quasar::image {
namespace {

std::optional<NetpbmPicture> read(const std::string& text) {
  return read_netpbm(std::as_bytes(std::span(text)));
}

TEST(Netpbm, ReadsGreyAndColourWithComments) {
  const std::string grey = "P5\n# a comment\n3 2\n#another\n255\nabcdef";
  const auto picture = read(grey);
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->width, 3);
  EXPECT_EQ(picture->height, 2);
  EXPECT_EQ(picture->channels, 1);
  EXPECT_EQ(picture->pixels[5], 'f');
  const std::string colour = "P6 1 1 255 xyz and more";
  ASSERT_TRUE(read(colour));
  EXPECT_EQ(read(colour)->pixels.size(), 3U);
}

TEST(Netpbm, RefusesWhatIsNone) {
  for (const std::string text :
       {"", "P", "P5", "P4 1 1 255 a", "P5 1 1 65535 ab", "P5 0 1 255 a", "P5 2 2 255 abc", "P5 1 1 255",
        "P5 1 1 256 a", "P5 99999999999999 1 255 a", "P5 -1 1 255 a", "P51 1 255 a", "P6 1 1 255 ab", "P5 #",
        "P5 1 1 #", "P5 65536 1 255 a"}) {
    EXPECT_FALSE(read(text)) << text;
  }
}

TEST(Netpbm, EveryCutOfAHeaderIsRefused) {
  const std::string whole = "P6\n2 2\n255\n............";
  ASSERT_TRUE(read(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(read(whole.substr(0, size))) << size;
}

}  // namespace
}  // namespace quasar::image
