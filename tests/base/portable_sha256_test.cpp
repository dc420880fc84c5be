#include "base/portable_sha256.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/checksum.h"

namespace quasar::base {
namespace {

std::string hex(std::span<const std::byte> bytes, std::size_t step) {
  PortableSha256 hash;
  for (std::size_t at = 0; at < bytes.size(); at += step)
    hash.update(bytes.subspan(at, std::min(step, bytes.size() - at)));
  constexpr char kDigits[] = "0123456789abcdef";
  std::string result;
  for (const unsigned char byte : hash.digest()) {
    result.push_back(kDigits[byte >> 4U]);
    result.push_back(kDigits[byte & 0xFU]);
  }
  return result;
}

TEST(PortableSha256, KnownAnswers) {
  // FIPS 180-4 examples.
  const std::string abc = "abc";
  EXPECT_EQ(hex(std::as_bytes(std::span(abc)), 1),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex({}, 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string million(1'000'000, 'a');
  EXPECT_EQ(hex(std::as_bytes(std::span(million)), 777),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(PortableSha256, EqualsTheLibraryAtEveryLength) {
  std::string text;
  for (int length = 0; length < 300; ++length) {
    const auto bytes = std::as_bytes(std::span(text));
    EXPECT_EQ(hex(bytes, 13), sha256_hex(bytes)) << length;
    text.push_back(static_cast<char>(length * 7));
  }
}

}  // namespace
}  // namespace quasar::base
