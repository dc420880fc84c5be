#include "corpus/sources/tar_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/atomic_file.h"
#include "base/random.h"
#include "support/test_data.h"
#include "tar_builder.h"

namespace quasar::corpus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Listing {
  std::vector<std::string> names;
  std::vector<std::string> data;
  std::vector<std::uint64_t> offsets;
  std::vector<TarDamage> damage;
};

Listing list(const std::string& archive) {
  TarReader reader(tar_in_memory(std::as_bytes(std::span(archive))));
  Listing listing;
  while (auto member = reader.next()) {
    EXPECT_LT(listing.names.size(), archive.size()) << "the reader does not end";
    listing.names.push_back(member->name);
    listing.offsets.push_back(member->offset);
    listing.data.push_back(reader.read(*member, archive.size()).value_or("(cut off)"));
  }
  listing.damage = reader.damage();
  return listing;
}

TEST(TarReader, ListsMembersWithTheirPlaces) {
  TarBuilder tar;
  tar.add("folder/", "", '5')
      .add("folder/a.jpg", "AAA")
      .add("link.jpg", "", '2')
      .add("b.jpg", std::string(512, 'B'));
  const auto listing = list(tar.finish());
  EXPECT_THAT(listing.names, ElementsAre("folder/a.jpg", "link.jpg", "b.jpg"));
  EXPECT_THAT(listing.data, ElementsAre("AAA", "(cut off)", std::string(512, 'B')));
  EXPECT_THAT(listing.offsets, ElementsAre(1024U, 2048U, 2560U));
  EXPECT_THAT(listing.damage, IsEmpty());
}

TEST(TarReader, JoinsThePrefixOfPosixHeadersOnly) {
  const auto posix = TarBuilder::header("b.jpg", 1, '0', {}, {}, "some/folder") + TarBuilder::padded("1");
  EXPECT_THAT(list(posix).names, ElementsAre("some/folder/b.jpg"));
  const auto gnu = TarBuilder::header("b.jpg", 1, '0', std::string_view("ustar  \0", 8), {}, "some/folder") +
                   TarBuilder::padded("1");
  EXPECT_THAT(list(gnu).names, ElementsAre("b.jpg"));
}

TEST(TarReader, TakesLongNamesOfGnuAndPax) {
  const std::string name = std::string(300, 'n') + ".jpg";
  TarBuilder tar;
  tar.add("././@LongLink", name + std::string(1, '\0'), 'L').add(name.substr(0, 100), "1");
  tar.add("pax", TarBuilder::pax_record("mtime", "1.5") + TarBuilder::pax_record("path", "p/\xC3\xA9.jpg"),
          'x');
  tar.add("p.jpg", "22").add("plain.jpg", "333");
  const auto listing = list(tar.finish());
  EXPECT_THAT(listing.names, ElementsAre(name, "p/\xC3\xA9.jpg", "plain.jpg"));
  EXPECT_THAT(listing.data, ElementsAre("1", "22", "333"));
  EXPECT_THAT(listing.damage, IsEmpty());
}

TEST(TarReader, PaxSizeAndBase256SizeStandForTheHeaders) {
  TarBuilder tar;
  tar.add("pax", TarBuilder::pax_record("size", "5"), 'x');
  tar.raw(TarBuilder::header("a.jpg", 0) + TarBuilder::padded("12345"));
  tar.raw(TarBuilder::header("b.jpg", 0, '0', {}, std::string_view("\x80\0\0\0\0\0\0\0\0\0\0\3", 12)));
  tar.raw(TarBuilder::padded("abc"));
  const auto listing = list(tar.finish());
  EXPECT_THAT(listing.data, ElementsAre("12345", "abc"));
  EXPECT_THAT(listing.damage, IsEmpty());
}

TEST(TarReader, ABrokenHeaderCostsItsMemberOnly) {
  TarBuilder tar;
  tar.add("a.jpg", std::string(2000, 'A')).add("b.jpg", std::string(2000, 'B')).add("c.jpg", "C");
  std::string archive = tar.finish();
  archive[2560 + 10] ^= 1;  // In the name of b.jpg.
  const auto listing = list(archive);
  EXPECT_THAT(listing.names, ElementsAre("a.jpg", "c.jpg"));
  ASSERT_THAT(listing.damage, SizeIs(1));
  EXPECT_EQ(listing.damage[0].offset, 2560U);
  EXPECT_THAT(listing.damage[0].what, HasSubstr("checksum"));
}

TEST(TarReader, ImpossibleSizesAreDamageAndTheNextMemberIsFound) {
  const std::string_view fields[] = {
      std::string_view("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12),  // -1
      std::string_view("\x80\x01\0\0\0\0\0\0\0\0\0\0", 12),                      // beyond 2^62
      std::string_view("-0000000001\0", 12), std::string_view("9999999999\0\0", 12)};
  for (const auto field : fields) {
    TarBuilder tar;
    tar.raw(TarBuilder::header("bad.jpg", 0, '0', {}, field))
        .raw(TarBuilder::padded("x"))
        .add("good.jpg", "G");
    const auto listing = list(tar.finish());
    EXPECT_THAT(listing.names, ElementsAre("good.jpg"));
    ASSERT_THAT(listing.damage, SizeIs(1));
    EXPECT_THAT(listing.damage[0].what, HasSubstr("impossible size"));
  }
}

TEST(TarReader, ASizeBeyondTheFileLosesThatMemberOnly) {
  TarBuilder tar;
  tar.raw(TarBuilder::header("lies.jpg", 077777777777ULL)).raw(TarBuilder::padded("x")).add("good.jpg", "G");
  const auto listing = list(tar.finish());
  EXPECT_THAT(listing.names, ElementsAre("lies.jpg", "good.jpg"));
  EXPECT_THAT(listing.data, ElementsAre("(cut off)", "G"));
  EXPECT_THAT(listing.damage, SizeIs(1));
}

TEST(TarReader, TruncationAtEveryBlockKeepsWhatIsWhole) {
  TarBuilder tar;
  for (int i = 0; i < 5; ++i)
    tar.add(std::to_string(i) + ".jpg", std::string(700, static_cast<char>('a' + i)));
  const std::string archive = tar.finish();
  for (std::size_t length = 0; length < std::size_t{5} * 1536; length += 256) {
    const auto listing = list(archive.substr(0, length));
    const std::size_t whole = length >= 1536 * 4 + 512 + 700 ? 5 : (length + 1536 - 512 - 700) / 1536;
    ASSERT_GE(listing.names.size(), whole) << length;
    for (std::size_t i = 0; i < whole; ++i)
      EXPECT_EQ(listing.data[i], std::string(700, static_cast<char>('a' + i)));
    for (std::size_t i = whole; i < listing.data.size(); ++i) EXPECT_EQ(listing.data[i], "(cut off)");
  }
}

TEST(TarReader, DamagedExtensionHeadersAreRefused) {
  for (const std::string& record :
       {std::string("5 a"), std::string("99 path=x\n"), std::string("0 path=x\n"),
        std::string("11 path:abc\n"), std::string("18446744073709551616 path=x\n"),
        TarBuilder::pax_record("size", "-1"), TarBuilder::pax_record("size", "99999999999999999999")}) {
    TarBuilder tar;
    tar.add("pax", record, 'x').add("a.jpg", "A");
    const auto listing = list(tar.finish());
    EXPECT_THAT(listing.names, ElementsAre("a.jpg")) << record;
    EXPECT_THAT(listing.damage, SizeIs(1)) << record;
  }
  TarBuilder huge;
  huge.raw(TarBuilder::header("././@LongLink", 1ULL << 32U, 'L')).add("a.jpg", "A");
  EXPECT_THAT(list(huge.finish()).names, ElementsAre("a.jpg"));
}

TEST(TarReader, SparseFilesAreToldApart) {
  TarBuilder tar;
  std::string sparse = TarBuilder::header("sparse.jpg", 512, 'S', std::string_view("ustar  \0", 8));
  sparse[482] = 1;
  TarBuilder::seal(sparse);
  tar.raw(sparse).raw(std::string(512, '\0')).raw(std::string(512, 'd'));
  tar.add(
      "pax",
      TarBuilder::pax_record("GNU.sparse.major", "1") + TarBuilder::pax_record("GNU.sparse.name", "s.jpg"),
      'x');
  tar.add("GNUSparseFile.0/s.jpg", "S").add("a.jpg", "A");
  TarReader reader(tar_in_memory(std::as_bytes(std::span(tar.text()))));
  std::vector<std::pair<std::string, TarMemberKind>> members;
  while (auto member = reader.next()) members.emplace_back(member->name, member->kind);
  EXPECT_THAT(members, ElementsAre(std::pair("sparse.jpg", TarMemberKind::kSparse),
                                   std::pair("s.jpg", TarMemberKind::kSparse),
                                   std::pair("a.jpg", TarMemberKind::kFile)));
  EXPECT_THAT(reader.damage(), IsEmpty());
}

TEST(TarReader, LinksNameTheirTargets) {
  const std::string target = std::string(150, 't') + ".jpg";
  TarBuilder tar;
  tar.link("hard.jpg", "a/b.jpg", '1').link("soft.jpg", "../c.jpg", '2');
  tar.add("././@LongLink", target + std::string(1, '\0'), 'K').link("gnu.jpg", target.substr(0, 100), '2');
  tar.add("pax", TarBuilder::pax_record("linkpath", target), 'x')
      .link("pax.jpg", "t", '1')
      .link("null", "", '3');
  const std::string archive = tar.finish();
  TarReader reader(tar_in_memory(std::as_bytes(std::span(archive))));
  std::vector<std::pair<std::string, TarMemberKind>> members;
  while (auto member = reader.next()) members.emplace_back(member->name + " " + member->target, member->kind);
  EXPECT_THAT(members, ElementsAre(std::pair("hard.jpg a/b.jpg", TarMemberKind::kHardLink),
                                   std::pair("soft.jpg ../c.jpg", TarMemberKind::kSymbolicLink),
                                   std::pair("gnu.jpg " + target, TarMemberKind::kSymbolicLink),
                                   std::pair("pax.jpg " + target, TarMemberKind::kHardLink),
                                   std::pair("null ", TarMemberKind::kSpecial)));
}

TEST(TarReader, ReadsArchivesPutOneBehindTheOther) {
  const std::string first = TarBuilder().add("a.jpg", "A").finish();
  const std::string second = TarBuilder().add("b.jpg", "B").finish();
  const auto listing = list(first + std::string(9000, '\0').substr(0, 8704) + second + second);
  EXPECT_THAT(listing.names, ElementsAre("a.jpg", "b.jpg", "b.jpg"));
  EXPECT_THAT(listing.damage, IsEmpty());
  // Padding of any length is none, and what is no tar is said.
  EXPECT_THAT(list(first + std::string(3'000'100, '\0')).damage, IsEmpty());
  const auto rubbish = list(first + std::string(700, 'x') + std::string(324, '\0') + second);
  EXPECT_THAT(rubbish.names, ElementsAre("a.jpg", "b.jpg"));
  ASSERT_THAT(rubbish.damage, SizeIs(1));
  EXPECT_EQ(rubbish.damage[0].offset, first.size());
  EXPECT_THAT(rubbish.damage[0].what, HasSubstr("end of the archive"));
  EXPECT_THAT(list(first + "short").damage, SizeIs(1));
}

TEST(TarReader, NamesAreTextWhateverTheySay) {
  TarBuilder tar;
  tar.add("../../etc/passwd.jpg", "1").add("/abs.jpg", "2").add("\xFF\xFE.jpg", "3");
  EXPECT_THAT(list(tar.finish()).names, ElementsAre("../../etc/passwd.jpg", "/abs.jpg", "\xFF\xFE.jpg"));
}

TEST(TarReader, NoTarAtAllGivesNothing) {
  EXPECT_THAT(list("").names, IsEmpty());
  EXPECT_THAT(list(std::string(1U << 20U, '\0')).names, IsEmpty());
  EXPECT_THAT(list(std::string(100'000, 'x')).names, IsEmpty());
  EXPECT_THAT(list(std::string(100'000, 'x')).damage, SizeIs(1));
}

TEST(TarReader, RandomMutationsNeverCrashOrLoop) {
  TarBuilder tar;
  tar.add("././@LongLink", std::string(200, 'n'), 'L').add("n", "1");
  tar.add("pax", TarBuilder::pax_record("path", "p.jpg") + TarBuilder::pax_record("size", "600"), 'x');
  tar.add("p.jpg", std::string(600, 'p')).add("q.jpg", std::string(100, 'q'));
  const std::string archive = tar.finish();
  base::Random random(5);
  for (int round = 0; round < 5000; ++round) {
    std::string copy = archive;
    for (std::uint64_t i = random.below(6) + 1; i > 0; --i) {
      copy[random.below(copy.size())] = static_cast<char>(random.below(256));
    }
    // Most changes to a header only break its checksum; sealed again they reach the code behind it.
    if (round % 2 == 0) {
      const std::size_t at = random.below(copy.size() / 512) * 512;
      std::string block = copy.substr(at, 512);
      for (std::uint64_t i = random.below(4); i > 0; --i)
        block[120 + random.below(40)] = static_cast<char>(random.below(256));
      TarBuilder::seal(block);
      copy.replace(at, 512, block);
    }
    copy.resize(random.below(4) == 0 ? random.below(copy.size()) : copy.size());
    const auto listing = list(copy);
    EXPECT_LE(listing.names.size() + listing.damage.size(), 2 * (copy.size() / 512 + 1));
  }
}

TEST(TarReader, ReadsTarsOfOtherPrograms) {
  const auto folder = test::shared_data() / "data" / "tar";
  QUASAR_REQUIRE_DATA(folder);
  const std::pair<const char*, std::size_t> counts[] = {
      {"clip-retrieval/image1.tar", 4}, {"clip-retrieval/image2.tar", 3}, {"nemo-curator/00000.tar", 1},
      {"webdataset/compressed.tar", 3}, {"webdataset/mpdata.tar", 100},   {"webdataset/tendata.tar", 100}};
  for (const auto& [name, count] : counts) {
    const std::string archive = base::read_file(folder / name);
    const auto listing = list(archive);
    EXPECT_THAT(listing.names, SizeIs(count)) << name;
    EXPECT_THAT(listing.damage, IsEmpty()) << name;
  }
  const auto jpegs = list(base::read_file(folder / "clip-retrieval/image1.tar"));
  EXPECT_THAT(jpegs.names, ElementsAre("123_456.jpg", "208_495.jpg", "321_421.jpg", "389_535.jpg"));
  for (const auto& data : jpegs.data) EXPECT_EQ(data.substr(0, 3), "\xFF\xD8\xFF");
  EXPECT_EQ(compression_of(*open_tar(folder / "webdataset/sample.tgz")), "gzip");
  EXPECT_EQ(compression_of(*open_tar(folder / "webdataset/tendata.tar")), "");
}

}  // namespace
}  // namespace quasar::corpus
