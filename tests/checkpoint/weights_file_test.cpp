#include "checkpoint/weights_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/unpacker.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch_zip_builder.h"
#include "support/test_data.h"

namespace quasar::checkpoint {
namespace {

using testing::AllOf;
using testing::HasSubstr;

void expect_same(const StoredTensors& found, const StoredTensors& expected) {
  for (const auto& [name, tensor] : found) EXPECT_TRUE(expected.contains(name)) << "unexpected " << name;
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    const StoredTensor& read = found.at(name);
    EXPECT_EQ(read.type, tensor.type) << name;
    EXPECT_EQ(read.shape, tensor.shape) << name;
    EXPECT_TRUE(is_aligned(read.bytes, read.type)) << name;
    EXPECT_TRUE(std::equal(read.bytes.begin(), read.bytes.end(), tensor.bytes.begin(), tensor.bytes.end()))
        << name;
  }
}

template <typename T>
StoredTensor tensor_of(Dtype type, std::vector<std::int64_t> shape, std::vector<T> values) {
  const auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  return {type, std::move(shape), std::as_bytes(std::span(*owner)), owner};
}

template <typename T>
T first(const StoredTensor& tensor) {
  return base::load<T>(tensor.bytes, 0);
}

/// The value of a half-precision number that is no infinity and no NaN.
float half_to_float(std::uint16_t half) {
  const int exponent = half >> 10U & 0x1FU;
  const int mantissa = half & 0x3FFU;
  const float value = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                    : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
  return (half & 0x8000U) != 0 ? -value : value;
}

TEST(WeightsFile, SafetensorsKeepEveryTypeAndShape) {
  const test::ScratchFolder folder;
  StoredTensors tensors = {{"f32", tensor_of<float>(Dtype::kFloat32, {2, 1}, {1.5F, -2})},
                           {"bool", tensor_of<char>(Dtype::kBool, {3}, {1, 0, 1})},
                           {"i64", tensor_of<std::int64_t>(Dtype::kInt64, {}, {-7})},
                           {"empty", {Dtype::kFloat16, {0, 4}, {}, nullptr}}};
  for (const auto& [name, type] : std::map<std::string, Dtype>{{"f64", Dtype::kFloat64},
                                                               {"f16", Dtype::kFloat16},
                                                               {"bf16", Dtype::kBfloat16},
                                                               {"i32", Dtype::kInt32},
                                                               {"i16", Dtype::kInt16},
                                                               {"i8", Dtype::kInt8},
                                                               {"u8", Dtype::kUint8}}) {
    const std::vector<unsigned char> bytes = {1, 2, 3, 4, 5, 6, 7, 8};
    tensors.emplace(name, tensor_of(type, {static_cast<std::int64_t>(8 / element_size(type))}, bytes));
  }
  const auto path = folder / "w.safetensors";
  write_safetensors(path, tensors, {{"architecture", "mini"}});
  const WeightsFile read = read_weights_file(path);
  expect_same(read.tensors, tensors);
  EXPECT_EQ(read.container, "safetensors");
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"architecture", "mini"}}));
  EXPECT_EQ(read.sha256, base::sha256_file(path));
}

TEST(WeightsFile, TensorsShareTheMappedFileUnlessTheyLieAskew) {
  const test::ScratchFolder folder;
  // One byte of bool first, so that the float behind it is not aligned.
  const std::string content = std::string(1, '\1') + std::string("\0\0\x80\x3F", 4);
  std::ofstream(folder / "w.safetensors", std::ios::binary)
      << format_safetensors_header({{{"a", Dtype::kBool, {}, 0, 1}, {"b", Dtype::kFloat32, {1}, 1, 5}}, {}})
      << content;
  const WeightsFile read = read_weights_file(folder / "w.safetensors");
  std::filesystem::remove(folder / "w.safetensors");
  EXPECT_EQ(first<float>(read.tensors.at("b")), 1.0F);
  EXPECT_TRUE(is_aligned(read.tensors.at("b").bytes, Dtype::kFloat32));
  EXPECT_NE(read.tensors.at("a").owner, read.tensors.at("b").owner);

  write_safetensors(folder / "v.safetensors", {{"a", read.tensors.at("a")}, {"b", read.tensors.at("b")}}, {});
  const WeightsFile again = read_weights_file(folder / "v.safetensors");
  EXPECT_EQ(again.tensors.at("a").owner, again.tensors.at("b").owner);
}

TEST(WeightsFile, RefusesBoolsThatAreNeither) {
  const test::ScratchFolder folder;
  const auto path = folder / "w.safetensors";
  write_safetensors(path, {{"b", tensor_of<char>(Dtype::kBool, {1}, {2})}}, {});
  EXPECT_THROW(read_weights_file(path), base::Error);
}

TEST(WeightsFile, ViewsStridesAndEveryTypeOfATorchFile) {
  const WeightsFile read = read_weights_file(test::test_file("golden/checkpoints/tricky.state_dict.pt"));
  EXPECT_EQ(read.container, "torch.save zip");
  EXPECT_EQ(read.sha256, base::sha256_file(test::test_file("golden/checkpoints/tricky.state_dict.pt")));
  expect_same(read.tensors,
              read_weights_file(test::test_file("golden/checkpoints/tricky.expected.safetensors")).tensors);
}

class GoldenWeights : public testing::Test {
 protected:
  static std::filesystem::path golden(const std::filesystem::path& name) {
    return test::shared_data() / "golden" / name;
  }
};

TEST_F(GoldenWeights, StateDictsPlainAndNested) {
  const auto weights = golden("openclip_vit_tiny_d_224_head20/weights.safetensors");
  QUASAR_REQUIRE_DATA(weights);
  const StoredTensors expected = read_weights_file(weights).tensors;
  EXPECT_GT(expected.size(), 20U);
  for (const char* kind : {"plain_state_dict", "nested_state_dict", "nested_state_dict_module_prefix"}) {
    SCOPED_TRACE(kind);
    const WeightsFile read =
        read_weights_file(golden(std::string("checkpoints/openclip_vit_tiny_d.") + kind + ".pt"));
    EXPECT_EQ(read.container, "torch.save zip");
    expect_same(read.tensors, expected);
  }
}

TEST_F(GoldenWeights, TorchScriptArchivesKeepTheirStoredTypes) {
  const auto weights = golden("clip_rn_tiny_a/weights.safetensors");
  QUASAR_REQUIRE_DATA(weights);
  const StoredTensors expected = read_weights_file(weights).tensors;
  for (const char* kind : {"fp16mixed", "fp16mixed_cuda_tagged"}) {
    SCOPED_TRACE(kind);
    WeightsFile read =
        read_weights_file(golden(std::string("checkpoints/clip_rn_tiny_a.torchscript_") + kind + ".pt"));
    EXPECT_EQ(read.container, "TorchScript");
    EXPECT_EQ(read.tensors.at("visual.conv1.weight").type, Dtype::kFloat16);
    EXPECT_EQ(read.tensors.at("visual.bn1.weight").type, Dtype::kFloat32);
    EXPECT_EQ(first<std::int64_t>(read.tensors.at("input_resolution")), 224);
    EXPECT_EQ(first<std::int64_t>(read.tensors.at("context_length")), 77);
    EXPECT_EQ(first<std::int64_t>(read.tensors.at("vocab_size")), 96);
    for (const char* extra : {"input_resolution", "context_length", "vocab_size"}) read.tensors.erase(extra);
    for (auto& [name, tensor] : read.tensors) {
      if (tensor.type != Dtype::kFloat16) continue;
      std::vector<float> values;
      for (std::size_t at = 0; at < tensor.bytes.size(); at += 2)
        values.push_back(half_to_float(base::load<std::uint16_t>(tensor.bytes, at)));
      tensor = tensor_of(Dtype::kFloat32, tensor.shape, std::move(values));
    }
    expect_same(read.tensors, expected);
  }
}

TEST_F(GoldenWeights, TheOldFormatGetsTheCommandThatConvertsIt) {
  const auto path = golden("checkpoints/openclip_vit_tiny_d.legacy_nonzip.pt");
  QUASAR_REQUIRE_DATA(path);
  try {
    read_weights_file(path);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr(path.string()), HasSubstr("before version 1.6"),
                      HasSubstr("torch.save(torch.load('openclip_vit_tiny_d.legacy_nonzip.pt', "
                                "map_location='cpu'), 'new-openclip_vit_tiny_d.legacy_nonzip.pt')")));
  }
}

TEST(WeightsFile, WrappersAreRemovedInEveryContainer) {
  using namespace crafted;  // NOLINT: the builder's pieces read as a notation.
  const test::ScratchFolder folder;
  write_safetensors(folder / "w.safetensors",
                    {{"module._orig_mod.w", tensor_of<float>(Dtype::kFloat32, {1}, {1})}}, {});
  const std::string floats = storage("FloatStorage", "0", 12);
  std::ofstream(folder / "w.pt", std::ios::binary)
      << torch_file(pickle(dict({text("module._orig_mod.w"), tensor(floats, 0, {12}, {1})})));
  for (const char* name : {"w.safetensors", "w.pt"})
    EXPECT_TRUE(read_weights_file(folder / name).tensors.contains("w")) << name;
}

/// Weights in two shards and their index.
class ShardedWeights : public testing::Test {
 protected:
  ShardedWeights() {
    write_safetensors(one(), {{"a", number(1)}, {"b", number(2)}}, {{"format", "pt"}});
    write_safetensors(two(), {{"c", number(3)}}, {});
    index(R"({"metadata": {"total_size": 99}, "weight_map": {"a": "1.safetensors", "b": "1.safetensors",
              "c": "2.safetensors"}})");
  }

  static StoredTensor number(float value) { return tensor_of<float>(Dtype::kFloat32, {1}, {value}); }
  std::filesystem::path one() const { return folder_ / "1.safetensors"; }
  std::filesystem::path two() const { return folder_ / "2.safetensors"; }
  std::filesystem::path index_path() const { return folder_ / "w.safetensors.index.json"; }
  void index(const std::string& json) const { std::ofstream(index_path()) << json; }
  std::string error() const {
    try {
      read_weights_file(index_path());
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr(index_path().string()));
      return error.what();
    }
    return "(no error)";
  }

  test::ScratchFolder folder_;
};

TEST_F(ShardedWeights, AreReadThroughTheirIndex) {
  const WeightsFile read = read_weights_file(index_path());
  expect_same(read.tensors, {{"a", number(1)}, {"b", number(2)}, {"c", number(3)}});
  EXPECT_EQ(read.container, "safetensors");
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  // As sha256sum 1.safetensors 2.safetensors | sha256sum prints it.
  const std::string sums =
      base::sha256_file(one()) + "  1.safetensors\n" + base::sha256_file(two()) + "  2.safetensors\n";
  std::ofstream(folder_ / "sums") << sums;
  EXPECT_EQ(read.sha256, base::sha256_file(folder_ / "sums"));
}

TEST_F(ShardedWeights, ThroughLinksAsTheHubsCacheHasThem) {
  std::filesystem::create_directory(folder_ / "blobs");
  std::filesystem::rename(two(), folder_ / "blobs" / "0123");
  std::filesystem::create_symlink("blobs/0123", two());
  EXPECT_EQ(read_weights_file(index_path()).tensors.size(), 3U);
}

TEST_F(ShardedWeights, MissingShardsAreListed) {
  std::filesystem::remove(one());
  std::filesystem::remove(two());
  EXPECT_THAT(error(), HasSubstr("2 of the 2 shards that it names are not beside it: \"1.safetensors\", "
                                 "\"2.safetensors\""));
}

TEST_F(ShardedWeights, EveryTensorLiesWhereTheIndexPlacesItAndNowhereElse) {
  write_safetensors(two(), {{"c", number(3)}, {"a", number(4)}}, {});
  EXPECT_THAT(error(), AllOf(HasSubstr("shard \"2.safetensors\""),
                             HasSubstr("tensor \"a\", which the index places in \"1.safetensors\"")));
  write_safetensors(two(), {{"c", number(3)}, {"d", number(4)}}, {});
  EXPECT_THAT(error(), HasSubstr("tensor \"d\", which the index does not name"));
  write_safetensors(two(), {}, {});
  EXPECT_THAT(error(), HasSubstr("\"2.safetensors\" lacks the tensor \"c\""));
}

TEST_F(ShardedWeights, AnIndexIsNoShard) {
  index(R"({"weight_map": {"a": "w.safetensors.index.json"}})");
  EXPECT_THAT(error(), HasSubstr("it is an index itself"));
  index(R"({"weight_map": {"a": "../outside.safetensors"}})");
  EXPECT_THAT(error(), HasSubstr("no name of a file beside the index"));
  std::filesystem::create_directory(folder_ / "3.safetensors");
  index(R"({"weight_map": {"a": "3.safetensors"}})");
  EXPECT_THAT(error(), HasSubstr("shard \"3.safetensors\""));
  std::ofstream(one()) << "<!DOCTYPE html>";
  index(R"({"weight_map": {"a": "1.safetensors"}})");
  EXPECT_THAT(error(), HasSubstr("a web page"));
}

TEST(WeightsFile, SaysWhatAFileIsWhenItIsNoWeights) {
  using namespace crafted;  // NOLINT: the builder's pieces read as a notation.
  const test::ScratchFolder folder;
  const auto of = [&](const std::string& content) -> std::string {
    std::ofstream(folder / "w.pt", std::ios::binary) << content;
    try {
      read_weights_file(folder / "w.pt");
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      return error.what();
    }
    return "(no error)";
  };
  EXPECT_THAT(of(""), HasSubstr("it is empty"));
  EXPECT_THAT(of("hello"), HasSubstr("neither a safetensors file, nor a torch.save zip, nor a TorchScript "
                                     "archive, nor an index of shards"));
  EXPECT_THAT(of(R"({"architectures": ["CLIPModel"]})"), HasSubstr("without a weight_map"));
  EXPECT_THAT(of("<!DOCTYPE html>"), HasSubstr("a web page"));
  EXPECT_THAT(of("version https://git-lfs.github.com/spec/v1\noid sha256:00"), HasSubstr("git lfs pull"));
  EXPECT_THAT(of(std::string("\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15)),
              HasSubstr("torch.save(torch.load('w.pt', map_location='cpu'), 'new-w.pt')"));
  EXPECT_THAT(of("PK\3\4 and no more"), HasSubstr("truncated"));
  EXPECT_EQ(of(torch_file(pickle(dict({text("w"), tensor(storage("FloatStorage", "0", 12), 0, {12}, {1})})))),
            "(no error)");
}

}  // namespace
}  // namespace quasar::checkpoint
