#include "checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <string>

#include "base/errors.h"

namespace quasar::checkpoint {
namespace {

using testing::HasSubstr;

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "(no error)";
}

std::string header_error(const std::string& json, std::uint64_t data_size) {
  return error_of([&] { parse_safetensors_header(json, data_size); });
}

std::string file_error(const std::string& content) {
  return error_of([&] {
    std::span<const std::byte> data;
    read_safetensors_header(std::as_bytes(std::span(content)), data);
  });
}

std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string result(sizeof length, '\0');
  std::memcpy(result.data(), &length, sizeof length);
  return result + rest;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
         "}";
}

TEST(SafetensorsHeader, ReadsEveryTypeInAnyOrderAndWithSpaces) {
  const SafetensorsHeader header = parse_safetensors_header(
      "{ \"b\" : {\"shape\":[2, 3],\n\"data_offsets\":[8,14],\"dtype\":\"I8\"} "
      ",\"__metadata__\":{\"k\":\"v\",\"e\":\"\"}," +
          entry("a", "F64", "[]", "[0,8]") + "}   ",
      14);
  ASSERT_EQ(header.entries.size(), 2U);
  EXPECT_EQ(header.entries[0].name, "a");
  EXPECT_EQ(header.entries[0].type, Dtype::kFloat64);
  EXPECT_TRUE(header.entries[0].shape.empty());
  EXPECT_EQ(header.entries[1].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(header.entries[1].begin, 8U);
  EXPECT_EQ(header.metadata, (std::map<std::string, std::string>{{"e", ""}, {"k", "v"}}));
  for (const auto& [dtype, size] : std::map<std::string, int>{{"F64", 8},
                                                              {"F32", 4},
                                                              {"F16", 2},
                                                              {"BF16", 2},
                                                              {"I64", 8},
                                                              {"I32", 4},
                                                              {"I16", 2},
                                                              {"I8", 1},
                                                              {"U8", 1},
                                                              {"BOOL", 1}}) {
    EXPECT_NO_THROW(
        parse_safetensors_header("{" + entry("x", dtype, "[1]", "[0," + std::to_string(size) + "]") + "}",
                                 static_cast<std::uint64_t>(size)))
        << dtype;
  }
}

TEST(SafetensorsHeader, ResolvesEscapesInNames) {
  const auto header =
      parse_safetensors_header("{" + entry(R"(\u00e9\"\\\/\n\ud83d\ude00)", "U8", "[0]", "[0,0]") + "}", 0);
  EXPECT_EQ(header.entries[0].name, "\xC3\xA9\"\\/\n\xF0\x9F\x98\x80");
}

TEST(SafetensorsHeader, AcceptsAFileWithoutTensors) {
  EXPECT_TRUE(parse_safetensors_header("{}", 0).entries.empty());
}

TEST(SafetensorsHeader, SurvivesWritingAndReading) {
  SafetensorsHeader header;
  header.metadata = {{"quote\"", "back\\slash\n\x01"}};
  header.entries = {{"a", Dtype::kFloat16, {3, 1}, 0, 6}, {"\xC3\xA9", Dtype::kBool, {}, 6, 7}};
  const std::string file = format_safetensors_header(header) + std::string(7, '\1');
  std::span<const std::byte> data;
  const SafetensorsHeader read = read_safetensors_header(std::as_bytes(std::span(file)), data);
  EXPECT_EQ(data.size(), 7U);
  EXPECT_EQ((file.size() - data.size()) % 64, 0U);
  EXPECT_EQ(read.metadata, header.metadata);
  EXPECT_EQ(read.entries[1].name, "\xC3\xA9");
  EXPECT_EQ(read.entries[0].shape, header.entries[0].shape);
}

TEST(SafetensorsHeader, RefusesWrongLayouts) {
  const auto one = [](const std::string& shape, const std::string& offsets) {
    return "{" + entry("x", "F32", shape, offsets) + "}";
  };
  EXPECT_THAT(header_error(one("[2]", "[0,8]"), 4), HasSubstr("outside the file"));
  EXPECT_THAT(header_error(one("[2]", "[0,9]"), 9),
              HasSubstr("needs 8 bytes by its shape and dtype but has 9"));
  EXPECT_THAT(header_error(one("[2]", "[8,0]"), 8), HasSubstr("ends before it begins"));
  EXPECT_THAT(header_error(one("[2]", "[0,8]"), 12), HasSubstr("4 bytes after the last tensor"));
  EXPECT_THAT(header_error(one("[2]", "[4,12]"), 12),
              HasSubstr("4 bytes before tensor \"x\" belong to no tensor"));
  EXPECT_THAT(
      header_error("{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("b", "U8", "[4]", "[2,6]") + "}", 6),
      HasSubstr("tensor \"b\" overlaps"));
  EXPECT_THAT(
      header_error("{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("b", "U8", "[0]", "[2,2]") + "}", 4),
      HasSubstr("overlaps"));
  EXPECT_THAT(header_error("{}", 1), HasSubstr("1 bytes after the last tensor"));
  EXPECT_THAT(header_error(one("[4294967296,4294967296]", "[0,0]"), 0), HasSubstr("too large to exist"));
  EXPECT_THAT(header_error(one("[9223372036854775807,2,0]", "[0,0]"), 0), HasSubstr("too large to exist"));
  EXPECT_THAT(header_error(one("[0,5]", "[0,4]"), 4), HasSubstr("needs 0 bytes"));
}

TEST(SafetensorsHeader, RefusesWrongJson) {
  const auto shaped = [](const std::string& shape) { return "{" + entry("x", "F32", shape, "[0,4]") + "}"; };
  EXPECT_THAT(header_error(shaped("[-1]"), 4), HasSubstr("negative number"));
  EXPECT_THAT(header_error(shaped("[1.0]"), 4), HasSubstr("fraction"));
  EXPECT_THAT(header_error(shaped("[1e0]"), 4), HasSubstr("exponent"));
  EXPECT_THAT(header_error(shaped("[01]"), 4), HasSubstr("syntax error"));
  EXPECT_THAT(header_error(shaped("[9223372036854775808]"), 4), HasSubstr("beyond 2^63 - 1"));
  EXPECT_THAT(header_error(shaped("[1,]"), 4), HasSubstr("syntax error"));
  EXPECT_THAT(header_error(shaped("[[1]]"), 4), HasSubstr("expected a whole number"));
  EXPECT_THAT(header_error(shaped("null"), 4),
              HasSubstr("expected a list of whole numbers for shape of tensor \"x\", found null"));
  EXPECT_THAT(header_error("{" + entry("x", "F31", "[1]", "[0,4]") + "}", 4),
              HasSubstr("unknown dtype \"F31\""));
  EXPECT_THAT(header_error("{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4), HasSubstr("no data_offsets"));
  EXPECT_THAT(header_error("{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 4), HasSubstr("appears twice"));
  EXPECT_THAT(header_error("{\"x\":{\"type\":1}}", 4), HasSubstr("unknown key \"type\""));
  EXPECT_THAT(header_error("{\"x\":{}}", 4), HasSubstr("expected \"\"\""));
  const std::string x = entry("x", "U8", "[0]", "[0,0]");
  EXPECT_THAT(header_error("{" + x + "," + x + "}", 0), HasSubstr("the name \"x\" appears twice"));
  EXPECT_THAT(header_error("{" + x + "," + entry("\\u0078", "U8", "[0]", "[0,0]") + "}", 0),
              HasSubstr("appears twice"));
  EXPECT_THAT(header_error("{" + x + ",}", 0), HasSubstr("expected"));
  EXPECT_THAT(header_error("{" + x + "} x", 0), HasSubstr("expected end of input"));
  EXPECT_THAT(header_error("{" + x + "}" + std::string("\0x", 2), 0), HasSubstr("after the closing brace"));
  EXPECT_THAT(header_error("{" + x, 0), HasSubstr("unexpected end of input"));
  EXPECT_THAT(header_error(" {}", 0), HasSubstr("begins with {"));
  EXPECT_THAT(header_error("[]", 0), HasSubstr("begins with {"));
  EXPECT_THAT(header_error("{\"__metadata__\":{\"k\":1}}", 0),
              HasSubstr("expected a text for the key \"k\""));
  EXPECT_THAT(header_error("{\"__metadata__\":{\"k\":\"\",\"k\":\"\"}}", 0), HasSubstr("appears twice"));
  EXPECT_THAT(header_error("{\"\xFF\":{}}", 0), HasSubstr("UTF-8"));
  EXPECT_THAT(header_error("{\"\xED\xA0\x80\":{}}", 0), HasSubstr("UTF-8"));
  EXPECT_THAT(header_error("{\"\xC0\x80\":{}}", 0), HasSubstr("UTF-8"));
  EXPECT_THAT(header_error("{\"\\ud800\":{}}", 0), HasSubstr("surrogate"));
  EXPECT_THAT(header_error("{\"\\ude00\":{}}", 0), HasSubstr("surrogate"));
  EXPECT_THAT(header_error("{\"\\u12g4\":{}}", 0), HasSubstr("hex digits"));
  EXPECT_THAT(header_error("{\"\\x\":{}}", 0), HasSubstr("backslash"));
  EXPECT_THAT(header_error(std::string("{\"a\0b\":{}}", 10), 0), HasSubstr("control character"));
  EXPECT_THAT(header_error("{\"abc", 0), HasSubstr("missing closing quote"));
  EXPECT_THAT(header_error("{\"x\":" + std::string(1'000'000, '['), 0),
              HasSubstr("header byte 6: expected an object for tensor \"x\", found a list"));
  EXPECT_THAT(
      header_error("{\"x\":{\"dtype\":\"F32\",\"shape\":[" + std::string(2000, '1').insert(1, ",1,1") + "]",
                   0),
      HasSubstr("2^63"));
  std::string many = "[1";
  for (int i = 0; i < 100; ++i) many += ",1";
  EXPECT_THAT(header_error(shaped(many + "]"), 4), HasSubstr("too many dimensions"));
}

TEST(SafetensorsHeader, RefusesWrongLengths) {
  EXPECT_THAT(file_error(""), HasSubstr("too short"));
  EXPECT_THAT(file_error("1234567"), HasSubstr("too short"));
  EXPECT_THAT(file_error(with_length(~std::uint64_t{0}, "{}")),
              HasSubstr("claims 18446744073709551615 bytes"));
  EXPECT_THAT(file_error(with_length(3, "{}")), HasSubstr("truncated"));
  EXPECT_THAT(file_error(with_length(0, "{}")), HasSubstr("begins with {"));
}

TEST(SafetensorsHeader, EveryTruncationIsRefused) {
  SafetensorsHeader header;
  header.metadata = {{"a", "b"}};
  header.entries = {{"weight", Dtype::kFloat32, {2, 2}, 0, 16}, {"bias", Dtype::kInt64, {1}, 16, 24}};
  const std::string file = format_safetensors_header(header) + std::string(24, '\0');
  EXPECT_EQ(file_error(file), "(no error)");
  for (std::size_t length = 0; length < file.size(); ++length) {
    EXPECT_NE(file_error(file.substr(0, length)), "(no error)") << length;
  }
}

TEST(SafetensorsHeader, MutatedBytesGiveAnErrorOrASoundHeader) {
  SafetensorsHeader header;
  header.metadata = {{"architecture", "mini"}};
  header.entries = {{"weight", Dtype::kFloat32, {2, 2}, 0, 16}, {"bias", Dtype::kInt64, {1}, 16, 24}};
  const std::string file = format_safetensors_header(header) + std::string(24, '\0');
  std::mt19937 random(7);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string mutated = file;
    const auto edits = static_cast<unsigned>(1 + random() % 4);
    for (unsigned i = 0; i < edits; ++i) mutated[random() % mutated.size()] = static_cast<char>(random());
    std::span<const std::byte> data;
    try {
      const SafetensorsHeader read = read_safetensors_header(std::as_bytes(std::span(mutated)), data);
      for (const SafetensorsEntry& e : read.entries) ASSERT_LE(e.end, data.size());
    } catch (const base::Error& error) {
      ASSERT_EQ(error.code(), base::ExitCode::kInput);
      ++refused;
    }
  }
  EXPECT_GT(refused, 10000);
}

}  // namespace
}  // namespace quasar::checkpoint
