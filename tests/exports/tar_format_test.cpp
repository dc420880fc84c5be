#include "exports/tar_format.h"

#include <gtest/gtest.h>

#include <span>

#include "corpus/sources/tar_reader.h"

namespace quasar::exports {
namespace {

std::vector<corpus::TarMember> members_of(const std::string& tar) {
  corpus::TarReader reader(corpus::tar_in_memory(std::as_bytes(std::span(tar))));
  std::vector<corpus::TarMember> members;
  while (auto member = reader.next()) members.push_back(*std::move(member));
  EXPECT_TRUE(reader.damage().empty());
  return members;
}

TEST(TarFormatTest, NamesOfAnyLengthComeBack) {
  for (const std::size_t length : {1U, 99U, 100U, 101U, 255U, 980U, 1000U, 5000U}) {
    const std::string name(length, 'n');
    const std::string data = "content";
    auto tar = tar_header(name, data.size()) + data;
    tar.resize(padded(tar.size()) + kTarEnd, '\0');
    const auto members = members_of(tar);
    ASSERT_EQ(members.size(), 1U) << length;
    EXPECT_EQ(members[0].name, name);
    EXPECT_EQ(members[0].size, data.size());
    EXPECT_EQ(tar.substr(members[0].offset, data.size()), data);
    EXPECT_EQ(members[0].offset, tar_header(name, data.size()).size());
  }
}

TEST(TarFormatTest, SizesBeyondOctalDigitsStandInAPaxHeader) {
  const std::uint64_t large = std::uint64_t{9} << 30U;
  EXPECT_EQ(tar_header("a.jpg", large - 1 - (std::uint64_t{1} << 30U)).size(), kTarBlock);
  const auto header = tar_header("a.jpg", large);
  EXPECT_EQ(header.size(), 3 * kTarBlock);
  EXPECT_NE(header.find("size=9663676416\n"), std::string::npos);
  corpus::TarReader reader(corpus::tar_in_memory(std::as_bytes(std::span(header))));
  const auto member = reader.next();
  ASSERT_TRUE(member);
  EXPECT_EQ(member->size, large);
}

TEST(TarFormatTest, HeadersSayNothingOfTheMachine) {
  const auto header = tar_header("a.jpg", 5);
  ASSERT_EQ(header.size(), kTarBlock);
  EXPECT_TRUE(corpus::is_tar_header(std::as_bytes(std::span(header))));
  EXPECT_EQ(header.substr(100, 7), "0000644");
  EXPECT_EQ(header.substr(108, 7), "0000000");
  EXPECT_EQ(header.substr(116, 7), "0000000");
  EXPECT_EQ(header.substr(136, 11), "00000000000") << "modified at no time";
  EXPECT_EQ(header.substr(257, 8), std::string("ustar\00000", 8));
  EXPECT_EQ(header.substr(265, 64), std::string(64, '\0')) << "no names of users";
}

}  // namespace
}  // namespace quasar::exports
