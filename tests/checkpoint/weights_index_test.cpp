#include "checkpoint/weights_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/errors.h"

namespace quasar::checkpoint {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view json) {
  try {
    parse_weights_index(json);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "(no error)";
}

bool looks(std::string_view text) {
  return looks_like_weights_index(std::as_bytes(std::span(text)));
}

TEST(WeightsIndex, GivesTheFileOfEachTensor) {
  const std::string json =
      R"({"metadata": {"total_size": 12, "weight_map": {"x": 1}, "more": [[{"a": null}], 1.5, true]},
          "weight_map": {"a.weight": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})";
  EXPECT_EQ(parse_weights_index(json),
            (std::map<std::string, std::string>{{"a.weight", "model-00001-of-00002.safetensors"},
                                                {"b", "model-00002-of-00002.safetensors"}}));
}

TEST(WeightsIndex, IsToldFromOtherFiles) {
  EXPECT_TRUE(looks(R"({"weight_map": {}})"));
  EXPECT_TRUE(looks("\n { \"metadata\": 1}"));
  EXPECT_FALSE(looks("{}"));
  EXPECT_FALSE(looks("[1, 2, 3, 4]"));
  EXPECT_FALSE(looks("PK\3\4        "));
  // A safetensors file whose header has 123 bytes: the length begins with the byte of a brace.
  EXPECT_FALSE(looks(std::string_view("{\0\0\0\0\0\0\0{\"a\"", 12)));
}

TEST(WeightsIndex, KeepsFilesInItsFolder) {
  for (const char* file :
       {"../w.safetensors", "/etc/passwd", "a/b", "..", ".", "", "a\\\\b", "a\\u0000b", "a\\nb"})
    EXPECT_THAT(error_of(R"({"weight_map": {"w": ")" + std::string(file) + R"("}})"),
                HasSubstr("which is no name of a file beside the index"))
        << file;
}

TEST(WeightsIndex, SaysWhatIsWrong) {
  EXPECT_THAT(error_of(R"({"weight_map": {"w": "a", "w": "b"}})"), HasSubstr("the tensor \"w\" twice"));
  EXPECT_THAT(error_of(R"({"weight_map": {"w": "a"}, "weight_map": {"v": "a"}})"),
              HasSubstr("two weight_maps"));
  EXPECT_THAT(error_of(R"({"weight_map": {"w": 1}})"), HasSubstr("a number for the tensor \"w\""));
  EXPECT_THAT(error_of(R"({"weight_map": {"w": {"x": "a"}}})"), HasSubstr("an object for the tensor \"w\""));
  EXPECT_THAT(error_of(R"({"weight_map": {"w": ["a"]}})"), HasSubstr("a list for the tensor \"w\""));
  EXPECT_THAT(error_of(R"({"weight_map": ["a"]})"), HasSubstr("weight_map is a list"));
  EXPECT_THAT(error_of(R"({"weight_map": "a"})"), HasSubstr("weight_map is a text"));
  EXPECT_THAT(error_of(R"({"model_type": "dinov2"})"), HasSubstr("without a weight_map"));
  EXPECT_THAT(error_of(R"({"weight_map": {}})"), HasSubstr("without a weight_map that names tensors"));
  EXPECT_THAT(error_of(R"([{"weight_map": {"w": "a"}}])"), HasSubstr("a JSON list"));
  EXPECT_THAT(error_of(R"({"weight_map": {"w": "a")"),
              HasSubstr("is no JSON; was the index downloaded whole?"));
  EXPECT_THAT(error_of(R"({"weight_map": {"w": "a"}} more)"), HasSubstr("is no JSON"));
}

TEST(WeightsIndex, DepthIsNoDanger) {
  const std::string deep(1'000'000, '[');
  EXPECT_THAT(error_of("{\"metadata\": " + deep), HasSubstr("is no JSON"));
  EXPECT_EQ(parse_weights_index("{\"metadata\": " + deep + std::string(deep.size(), ']') +
                                R"(, "weight_map": {"w": "a"}})")
                .size(),
            1U);
}

TEST(WeightsIndex, SurvivesMutation) {
  const std::string json =
      R"({"metadata": {"total_size": 12}, "weight_map": {"a": "one", "b": "two", "c": "one"}})";
  std::mt19937 random(11);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string mutated = json;
    const auto edits = static_cast<unsigned>(1 + random() % 4);
    for (unsigned i = 0; i < edits; ++i) mutated[random() % mutated.size()] = static_cast<char>(random());
    refused += error_of(mutated) == "(no error)" ? 0 : 1;
  }
  EXPECT_GT(refused, 10000);
}

}  // namespace
}  // namespace quasar::checkpoint
