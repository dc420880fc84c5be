#include "checkpoint/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/errors.h"
#include "checkpoint/torch_zip_builder.h"

namespace quasar::checkpoint {
namespace {

using crafted::make_zip;
using crafted::ZipMember;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string error_of(const std::string& file, const std::string& member = "a") {
  try {
    ZipArchive(bytes_of(file)).read(member);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "(no error)";
}

TEST(Crc32, EqualsTheStandardCheckValue) {
  EXPECT_EQ(crc32(bytes_of("123456789")), 0xCBF43926U);
  EXPECT_EQ(crc32(bytes_of("")), 0U);
  EXPECT_EQ(crc32(bytes_of("The quick brown fox jumps over the lazy dog")), 0x414FA339U);
}

TEST(ZipArchive, ReadsStoredEntries) {
  for (const bool zip64 : {false, true}) {
    const std::string file =
        make_zip({{.name = "a", .data = "first"}, {.name = "b/c", .data = ""}}, {.zip64 = zip64});
    const ZipArchive archive(bytes_of(file));
    EXPECT_TRUE(ZipArchive::looks_like_zip(bytes_of(file)));
    EXPECT_EQ(archive.entries().size(), 2U);
    const auto first = archive.read("a");
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(first.data()), first.size()), "first");
    EXPECT_TRUE(archive.read("b/c").empty());
    EXPECT_FALSE(archive.contains("b"));
  }
}

TEST(ZipArchive, RefusesToRead) {
  EXPECT_THAT(error_of(make_zip({{.name = "a", .data = "x"}}), "b"), HasSubstr("\"b\" is missing"));
  EXPECT_THAT(error_of(make_zip({{.name = "a", .data = "x", .wrong_crc = true}})),
              HasSubstr("checksum does not match"));
  EXPECT_THAT(error_of(make_zip({{.name = "a", .data = "x", .flags = 1}})), HasSubstr("encrypted"));
  // A few bytes that claim to inflate to four gigabytes.
  EXPECT_THAT(
      error_of(make_zip({{.name = "a", .data = "xxxxx", .method = 8, .claimed_uncompressed = 0xFFFFFFF0U}})),
      HasSubstr("is compressed (method 8)"));
}

TEST(ZipArchive, RefusesWrongDirectories) {
  const ZipMember a{.name = "a", .data = "0123456789"};
  EXPECT_THAT(error_of(make_zip({a}, {.extra_count = 1})), HasSubstr("claims 2 entries"));
  EXPECT_THAT(error_of(make_zip({a}, {.zip64 = true, .extra_count = 0xFFF0})),
              HasSubstr("claims 65521 entries"));
  EXPECT_THAT(error_of(make_zip({a}, {.directory_shift = 1})), HasSubstr("directory is not where"));
  EXPECT_THAT(error_of(make_zip({a}, {.zip64 = true, .directory_shift = 0x10000000})),
              HasSubstr("directory is not where"));
  EXPECT_THAT(error_of(make_zip({a, a})), HasSubstr("two zip entries are named \"a\""));
  EXPECT_THAT(error_of(make_zip({a, {.name = "b", .data = "x", .header_shift = -1000}})),
              HasSubstr("no header"));
  EXPECT_THAT(error_of(make_zip({{.name = "a", .data = "x", .header_shift = 1 << 20}})),
              HasSubstr("no header"));
  EXPECT_THAT(error_of(make_zip({{.name = "a", .data = "x", .local_name = "b"}})),
              HasSubstr("differs between"));
  EXPECT_THAT(error_of(make_zip({{.name = "a", .data = "x", .claimed_size = 2}})),
              HasSubstr("outside the archive"));
  EXPECT_THAT(error_of(make_zip({{.name = "a", .data = "x", .claimed_size = 1, .claimed_uncompressed = 2}})),
              HasSubstr("claims two sizes"));
  EXPECT_THAT(error_of(make_zip({{.name = "a", .data = "x", .claimed_size = 100},
                                 {.name = "b", .data = std::string(200, 'x')}})),
              HasSubstr("entries of the zip archive overlap"));
}

TEST(ZipArchive, RefusesEveryTruncation) {
  const std::string file =
      make_zip({{.name = "a", .data = "first"}, {.name = "b", .data = "second"}}, {.zip64 = true});
  EXPECT_EQ(error_of(file), "(no error)");
  for (std::size_t length = 0; length < file.size(); ++length) {
    ASSERT_NE(error_of(file.substr(0, length)), "(no error)") << length;
  }
  EXPECT_NE(error_of(file + "x"), "(no error)");
}

}  // namespace
}  // namespace quasar::checkpoint
