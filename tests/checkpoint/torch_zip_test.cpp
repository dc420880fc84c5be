// Weights files that are wrong, on purpose or by accident: one clear error each, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include "base/checksum.h"
#include "base/errors.h"
#include "checkpoint/torch_zip.h"
#include "checkpoint/torch_zip_builder.h"
#include "support/test_data.h"

namespace quasar::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace crafted;  // NOLINT: the builder's pieces read as a notation.

WeightsFile read(const std::string& content) {
  const auto owner = std::make_shared<const std::string>(content);
  WeightsFile weights;
  read_torch_zip(std::as_bytes(std::span(*owner)), owner, weights);
  return weights;
}

/// Elements of a tensor of float32.
std::vector<float> floats(const StoredTensor& tensor) {
  EXPECT_EQ(tensor.type, Dtype::kFloat32);
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

std::string error_of(const std::string& content) {
  try {
    read(content);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "(no error)";
}

std::string pickle_error(const std::string& root) {
  return error_of(torch_file(pickle(root)));
}

const std::string kFloats = storage("FloatStorage", "0", 12);

std::string one_tensor(std::int64_t offset, const std::vector<std::int64_t>& sizes,
                       const std::vector<std::int64_t>& strides) {
  return dict({text("w"), tensor(kFloats, offset, sizes, strides)});
}

std::string script_class(const std::string& name) {
  return global("__torch__.model", name);
}

std::string module(const std::string& state) {
  return script_class("Net") + ")\x81" + state + "b";
}

std::string script_file(const std::string& root) {
  std::string data;
  for (int i = 0; i < 12; ++i) data += raw(static_cast<float>(i));
  return make_zip({{.name = "a/data.pkl", .data = pickle(root)},
                   {.name = "a/data/0", .data = data},
                   {.name = "a/constants.pkl", .data = pickle(")")},
                   {.name = "a/code/__torch__/model.py", .data = "compressed", .method = 8}});
}

TEST(TorchZip, ReadsViews) {
  const WeightsFile whole = read(torch_file(pickle(one_tensor(0, {3, 4}, {4, 1}))));
  EXPECT_THAT(floats(whole.tensors.at("w")), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  const WeightsFile turned = read(torch_file(pickle(one_tensor(4, {4, 2}, {1, 4}))));
  EXPECT_THAT(turned.tensors.at("w").shape, ElementsAre(4, 2));
  EXPECT_THAT(floats(turned.tensors.at("w")), ElementsAre(4, 8, 5, 9, 6, 10, 7, 11));
  const WeightsFile spread = read(torch_file(pickle(one_tensor(3, {2, 3}, {0, 1}))));
  EXPECT_THAT(floats(spread.tensors.at("w")), ElementsAre(3, 4, 5, 3, 4, 5));
  EXPECT_TRUE(read(torch_file(pickle(one_tensor(12, {0, 4}, {4, 1})))).tensors.at("w").bytes.empty());
}

TEST(TorchZip, FindsTheDict) {
  const std::string weights = dict({text("module.a"), tensor(kFloats, 0, {1}, {1}), text("module.b.c"),
                                    tensor(kFloats, 1, {1}, {1}), text("note"), text("kept out")});
  const std::string ignored = dict({text("state"), dict({integer(0), tensor(kFloats, 2, {1}, {1})})});
  const WeightsFile found =
      read(torch_file(pickle(dict({text("optimizer"), ignored, text("model"),
                                   dict({text("epoch"), integer(-3)}), text("state_dict"), weights}))));
  ASSERT_EQ(found.tensors.size(), 2U);
  EXPECT_THAT(floats(found.tensors.at("module.b.c")), ElementsAre(1));
  const WeightsFile beside =
      read(torch_file(pickle(dict({text("best"), tensor(kFloats, 5, {1}, {1}), text("state_dict"),
                                   dict({text("w"), tensor(kFloats, 0, {1}, {1})})}))));
  ASSERT_EQ(beside.tensors.size(), 1U);
  EXPECT_TRUE(beside.tensors.contains("w"));
  for (const char* key : {"teacher", "model_state_dict", "module"}) {
    const std::string nested = dict({text("student"), dict({text("s"), tensor(kFloats, 0, {1}, {1})}),
                                     text(key), dict({text("t"), tensor(kFloats, 1, {1}, {1})})});
    EXPECT_THAT(floats(read(torch_file(pickle(nested))).tensors.at("t")), ElementsAre(1)) << key;
  }
}

TEST(TorchZip, CollectsATreeOfModules) {
  const std::string inner =
      module(dict({text("weight"), tensor(kFloats, 4, {2}, {1}), text("training"), "\x89"}));
  const WeightsFile found =
      read(script_file(module(dict({text("scale"), tensor(kFloats, 0, {}, {}), text("block"),
                                    module(dict({text("0"), inner})), text("n"), "N"}))));
  EXPECT_EQ(found.container, "TorchScript");
  ASSERT_EQ(found.tensors.size(), 2U);
  EXPECT_THAT(floats(found.tensors.at("block.0.weight")), ElementsAre(4, 5));
}

TEST(TorchZip, ReadsWhatWasSavedOnAGpu) {
  // The device that a storage was on is no reason to need it.
  const std::string weights =
      dict({text("w"), tensor(storage("FloatStorage", "0", 12, "cuda:0"), 4, {2}, {1})});
  for (const std::string& file : {torch_file(pickle(weights)), script_file(module(weights))}) {
    const WeightsFile found = read(file);
    EXPECT_THAT(floats(found.tensors.at("w")), ElementsAre(4, 5));
  }
}

TEST(TorchZip, ReadsZip64AndComments) {
  std::string data;
  for (int i = 0; i < 12; ++i) data += raw(static_cast<float>(i));
  const std::vector<ZipMember> members = {{.name = "a/data.pkl", .data = pickle(one_tensor(0, {12}, {1}))},
                                          {.name = "a/data/0", .data = data}};
  EXPECT_EQ(read(make_zip(members, {.zip64 = true})).tensors.at("w").bytes.size(), 48U);
  EXPECT_EQ(read(make_zip(members, {.zip64 = true, .comment = "hello"})).tensors.at("w").bytes.size(), 48U);
}

TEST(TorchZip, RefusesViewsOutsideTheirStorage) {
  EXPECT_THAT(pickle_error(one_tensor(0, {13}, {1})),
              HasSubstr("tensor \"w\": it reaches outside its storage"));
  EXPECT_THAT(pickle_error(one_tensor(1, {12}, {1})), HasSubstr("reaches outside"));
  EXPECT_THAT(pickle_error(one_tensor(13, {0}, {1})), HasSubstr("begins outside"));
  EXPECT_THAT(pickle_error(one_tensor(0, {2, 2}, {11, 1})), HasSubstr("reaches outside"));
  EXPECT_THAT(pickle_error(one_tensor(-1, {1}, {1})), HasSubstr("negative"));
  EXPECT_THAT(pickle_error(one_tensor(0, {-1}, {1})), HasSubstr("negative"));
  EXPECT_THAT(pickle_error(one_tensor(11, {2}, {-1})), HasSubstr("negative"));
  EXPECT_THAT(pickle_error(one_tensor(0, {2, 3}, {3})), HasSubstr("different lengths"));
  constexpr std::int64_t kHuge = std::int64_t{1} << 62U;
  EXPECT_THAT(pickle_error(one_tensor(0, {kHuge, kHuge}, {0, 0})), HasSubstr("too large to exist"));
  EXPECT_THAT(pickle_error(one_tensor(0, {3, 3}, {kHuge, kHuge})), HasSubstr("reaches outside"));
  EXPECT_THAT(pickle_error(one_tensor(0, {kHuge, 0}, {1, 1})), HasSubstr("too large to exist"));
  EXPECT_THAT(pickle_error(one_tensor(kHuge, {1}, {1})), HasSubstr("begins outside"));
  EXPECT_THAT(pickle_error(one_tensor(0, std::vector<std::int64_t>(65, 1), std::vector<std::int64_t>(65, 1))),
              HasSubstr("too many dimensions"));
}

TEST(TorchZip, RefusesViewsThatMultiplyTheFile) {
  EXPECT_THAT(pickle_error(one_tensor(0, {std::int64_t{1} << 40U, 12}, {0, 1})),
              HasSubstr("far larger than the file"));
  std::vector<std::string> items;
  for (int i = 0; i < 100; ++i) {
    items.push_back(text("w" + std::to_string(i)));
    items.push_back(tensor(kFloats, 0, {100000, 12}, {0, 1}));
  }
  EXPECT_THAT(pickle_error(dict(items)), HasSubstr("far larger than the file"));
}

TEST(TorchZip, RefusesCopiesThatMultiplyTheFile) {
  // Bytes that lie askew are copied: once is fine, a thousand times is not.
  constexpr std::int64_t kCount = 100'000;
  const auto file = [](int copies) {
    std::vector<std::string> items;
    for (int i = 0; i < copies; ++i) {
      items.push_back(text("w" + std::to_string(i)));
      items.push_back(tensor(storage("FloatStorage", "0", kCount), 0, {kCount}, {1}));
    }
    return make_zip({{.name = "a/data.pkl", .data = pickle(dict(items))},
                     {.name = "a/data/0", .data = std::string(4 * kCount, '\0'), .shift = 1}});
  };
  EXPECT_EQ(read(file(1)).tensors.at("w0").bytes.size(), 4U * kCount);
  EXPECT_THAT(error_of(file(1000)), HasSubstr("far larger than the file"));
}

TEST(TorchZip, RefusesNamesThatGrowWithoutEnd) {
  const std::string name = text(std::string(1000, 'n'));
  std::string root = module(dict({text("w"), tensor(kFloats, 0, {1}, {1})}));
  for (int i = 0; i < 10; ++i) root = module(dict({name, root}));
  EXPECT_THAT(error_of(script_file(root)), HasSubstr("names longer than 4096 bytes"));
}

TEST(TorchZip, RefusesWrongStorages) {
  const auto with = [](const std::string& piece) {
    return pickle_error(dict({text("w"), tensor(piece, 0, {1}, {1})}));
  };
  EXPECT_THAT(with(storage("FloatStorage", "0", 13)), HasSubstr("claims 13 elements"));
  EXPECT_THAT(with(storage("DoubleStorage", "0", 12)), HasSubstr("claims 12 elements of 8 bytes"));
  EXPECT_THAT(with(storage("FloatStorage", "1", 12)), HasSubstr("\"a/data/1\" is missing"));
  EXPECT_THAT(with(storage("FloatStorage", "../data.pkl", 12)), HasSubstr("is missing"));
  EXPECT_THAT(with(storage("Size", "0", 12)), HasSubstr("no storage"));
  EXPECT_THAT(with(storage("ComplexFloatStorage", "0", 6)), HasSubstr("torch.ComplexFloatStorage"));
  EXPECT_THAT(with("N"), HasSubstr("no storage"));
  EXPECT_THAT(with(text("x") + "Q"), HasSubstr("no storage"));
  EXPECT_THAT(with(tuple({text("storage")}) + "Q"), HasSubstr("not described"));
  EXPECT_THAT(pickle_error(dict({text("a"), tensor(kFloats, 0, {1}, {1}), text("b"),
                                 tensor(storage("IntStorage", "0", 12), 0, {1}, {1})})),
              HasSubstr("described in two ways"));
  EXPECT_THAT(pickle_error(dict({text("w"), tensor(storage("BoolStorage", "0", 48), 0, {48}, {1})})),
              HasSubstr("other bytes than 0 and 1"));
}

TEST(TorchZip, RefusesWrongCalls) {
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  EXPECT_THAT(pickle_error(dict({text("w"), rebuild + ")R"})), HasSubstr("other than 6 or 7 arguments"));
  EXPECT_THAT(pickle_error(dict({text("w"), global("torch._utils", "_rebuild_parameter") + ")R"})),
              HasSubstr("a parameter without its tensor"));
  EXPECT_THAT(
      pickle_error(dict({text("w"), global("torch._utils", "_rebuild_parameter") + tuple({"N"}) + "R"})),
      HasSubstr("no tensor"));
  EXPECT_THAT(pickle_error(dict({integer(1), tensor(kFloats, 0, {1}, {1})})), HasSubstr("name is no text"));
  EXPECT_THAT(
      pickle_error(dict({text("w"), tensor(kFloats, 0, {1}, {1}), text("w"), tensor(kFloats, 0, {1}, {1})})),
      HasSubstr("two tensors are named \"w\""));
}

TEST(TorchZip, RefusesFilesWithoutWeights) {
  EXPECT_THAT(pickle_error("N"), HasSubstr("no dict of tensors"));
  EXPECT_THAT(pickle_error(tensor(kFloats, 0, {1}, {1})), HasSubstr("no dict of tensors"));
  EXPECT_THAT(pickle_error("}"), HasSubstr("holds no tensors"));
  EXPECT_THAT(pickle_error(dict({text("model"), integer(1)})),
              HasSubstr("under \"state_dict\", \"model\", \"teacher\""));
  // A dict that holds itself.
  EXPECT_THAT(pickle_error("}q\x01(" + text("model") + "h\x01u"), HasSubstr("holds no tensors"));
  EXPECT_THAT(error_of(script_file("}")), HasSubstr("root is no module"));
  EXPECT_THAT(error_of(script_file(module("}"))), HasSubstr("no tensors"));
  EXPECT_THAT(error_of(make_zip({{.name = "readme.txt", .data = "hello"}})), HasSubstr("without data.pkl"));
  EXPECT_THAT(error_of(make_zip({})), HasSubstr("without data.pkl"));
  EXPECT_THAT(error_of(make_zip(
                  {{.name = "a/data.pkl", .data = pickle("}")}, {.name = "a/byteorder", .data = "big"}})),
              HasSubstr("big-endian"));
}

TEST(TorchZip, RefusesModulesThatMultiply) {
  // 40 levels, each naming the one below twice through the memo: 2^40 paths.
  std::string tree = module("}") + "r" + raw<std::uint32_t>(0);
  for (std::uint32_t level = 1; level <= 40; ++level) {
    const std::string below = "j" + raw(level - 1);
    tree += module(dict({text("a"), below, text("b"), below})) + "r" + raw(level);
  }
  EXPECT_THAT(error_of(script_file("(" + tree + "t")), HasSubstr("root is no module"));
  EXPECT_THAT(error_of(script_file(
                  module(dict({text("all"), "(" + tree + "t", text("top"), "j" + raw<std::uint32_t>(40)})))),
              HasSubstr("more modules than weights have"));
  // A module that holds itself.
  EXPECT_THAT(error_of(script_file(script_class("Net") + ")\x81q\x01" + dict({text("self"), "h\x01"}) + "b")),
              HasSubstr("nested deeper than 64"));
}

TEST(TorchZip, EveryTruncationIsRefused) {
  const std::string file = torch_file(pickle(one_tensor(0, {3, 4}, {4, 1})));
  EXPECT_EQ(error_of(file), "(no error)");
  for (std::size_t length = 0; length < file.size(); ++length) {
    ASSERT_NE(error_of(file.substr(0, length)), "(no error)") << length;
  }
}

TEST(TorchZip, EveryTruncationOfThePickleIsRefused) {
  const std::string whole = pickle(one_tensor(0, {3, 4}, {4, 1}));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    ASSERT_NE(error_of(torch_file(whole.substr(0, length))), "(no error)") << length;
  }
}

/// Edits bytes at random and only asks that each result is an Error or a checkpoint whose every value can be
/// read.
template <typename Wrap>
int count_refused(const std::string& content, int rounds, const Wrap& wrap) {
  std::mt19937 random(11);
  int refused = 0;
  for (int round = 0; round < rounds; ++round) {
    std::string mutated = content;
    const auto edits = static_cast<unsigned>(1 + random() % 4);
    for (unsigned i = 0; i < edits; ++i) mutated[random() % mutated.size()] = static_cast<char>(random());
    if (round % 5 == 0) mutated.erase(random() % mutated.size(), 1 + random() % 8);
    try {
      for (const auto& [name, tensor] : read(wrap(mutated)).tensors) {
        std::uint64_t elements = 1;
        for (const std::int64_t size : tensor.shape) elements *= static_cast<std::uint64_t>(size);
        EXPECT_EQ(tensor.bytes.size(), elements * element_size(tensor.type));
        base::Sha256().update(tensor.bytes);
      }
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      ++refused;
    }
  }
  return refused;
}

TEST(TorchZip, MutatedPicklesNeverCrash) {
  const std::string content = pickle(dict({text("a"), tensor(kFloats, 0, {3, 4}, {4, 1}), text("b"),
                                           tensor(kFloats, 4, {4, 2}, {1, 4}), text("n"), integer(7)}));
  EXPECT_GT(count_refused(content, 20000, [](const std::string& bytes) { return torch_file(bytes); }), 5000);
}

TEST(TorchZip, MutatedArchivesNeverCrash) {
  const std::string file = torch_file(pickle(one_tensor(0, {3, 4}, {4, 1})));
  EXPECT_GT(count_refused(file, 20000, [](const std::string& bytes) { return bytes; }), 5000);
}

TEST(TorchZip, MutatedTorchScriptNeverCrashes) {
  const std::string root = pickle(module(dict({text("a"), tensor(kFloats, 0, {3, 4}, {4, 1}), text("m"),
                                               module(dict({text("b"), tensor(kFloats, 4, {2}, {1})}))})));
  EXPECT_GT(count_refused(root, 10000,
                          [](const std::string& bytes) {
                            return make_zip({{.name = "a/data.pkl", .data = bytes},
                                             {.name = "a/data/0", .data = std::string(48, '\0')},
                                             {.name = "a/constants.pkl", .data = ""}});
                          }),
            2000);
}

TEST(TorchZip, MutatedRealFileNeverCrashes) {
  std::ifstream file(test::test_file("golden/checkpoints/tricky.state_dict.pt"), std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  ASSERT_GT(content.size(), 1000U);
  EXPECT_GT(count_refused(content, 5000, [](const std::string& bytes) { return bytes; }), 1000);
}

}  // namespace
}  // namespace quasar::checkpoint
