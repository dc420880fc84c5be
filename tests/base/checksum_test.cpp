#include "base/checksum.h"

#include <gtest/gtest.h>

#include <string>

#include "base/errors.h"

namespace quasar::base {
namespace {

/// `size` bytes without a pattern.
std::string bytes_of(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (auto& byte : text) byte = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  return text;
}

std::string whole(std::string_view text) {
  return xxh128_hex(std::as_bytes(std::span(text)));
}

TEST(Xxh128, IsThatOfTheWholeHoweverItComesAndWhereverItGoesOn) {
  // Below and beyond the sizes at which the hash changes its ways (16, 128, 240, 256, 1024).
  for (const std::size_t size : {0U, 1U, 17U, 129U, 240U, 241U, 256U, 1024U, 5000U, 100'000U}) {
    const std::string text = bytes_of(size);
    for (const std::size_t cut : {std::size_t{0}, size / 3, size / 2, size}) {
      Xxh128 first;
      first.update(std::string_view(text).substr(0, cut));
      Xxh128 second;
      second.update("what is forgotten");
      second.resume(first.state());
      second.update(std::string_view(text).substr(cut));
      EXPECT_EQ(second.hex_digest(), whole(text)) << size << " cut at " << cut;
      first.update(std::string_view(text).substr(cut));
      EXPECT_EQ(first.hex_digest(), whole(text)) << "handing on changes nothing";
    }
  }
}

TEST(Xxh128, RefusesAStateOfAnotherLibrary) {
  Xxh128 hash;
  std::string state = hash.state();
  state[0] = static_cast<char>(state[0] + 1);
  try {
    hash.resume(state);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kConfig);
  }
  EXPECT_THROW(hash.resume("short"), Error);
}

}  // namespace
}  // namespace quasar::base
