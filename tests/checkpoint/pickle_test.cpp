#include "checkpoint/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/errors.h"
#include "checkpoint/torch_zip_builder.h"

namespace quasar::checkpoint {
namespace {

using crafted::dict;
using crafted::global;
using crafted::integer;
using crafted::pickle;
using crafted::raw;
using crafted::text;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& content) {
  return std::as_bytes(std::span(content));
}

std::string error_of(const std::string& content) {
  try {
    const Pickle parsed(bytes_of(content));
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kInput);
    return error.what();
  }
  return "(no error)";
}

std::int64_t integer_of(const std::string& root) {
  return Pickle(bytes_of(pickle(root))).root().integer;
}

TEST(Pickle, ReadsNumbers) {
  EXPECT_EQ(integer_of("K\xFF"), 255);
  EXPECT_EQ(integer_of("M\xFF\xFF"), 65535);
  EXPECT_EQ(integer_of("J" + raw<std::int32_t>(-7)), -7);
  EXPECT_EQ(integer_of(integer(std::int64_t{-1} << 62U)), std::int64_t{-1} << 62U);
  EXPECT_EQ(integer_of(std::string("\x8a\x01\xFF")), -1);
  EXPECT_EQ(integer_of(std::string("\x8a\x03\xFF\xFF\x00", 5)), 65535);
  EXPECT_EQ(integer_of(std::string("\x8a\x00", 2)), 0);
  EXPECT_EQ(integer_of("\x88"), 1);
  const std::string real = pickle(std::string("G\xBF\xF8\0\0\0\0\0\0", 9));
  EXPECT_EQ(Pickle(bytes_of(real)).root().real, -1.5);
}

TEST(Pickle, ReadsContainersOfEveryProtocol) {
  const std::string two = pickle("}q\x01(" + text("k") + "](K\x01K\x02" + "eu");
  const std::string four = std::string("\x80\x04\x95") + raw<std::uint64_t>(14) +
                           "}\x94\x8c\x01k\x94]\x94(K\x01K\x02"
                           "es.";
  for (const std::string& content : {two, four}) {
    const Pickle parsed(bytes_of(content));
    ASSERT_EQ(parsed.root().kind, PickleKind::kDict);
    ASSERT_EQ(parsed.root().items.size(), 2U);
    EXPECT_EQ(parsed.root().items[0]->text, "k");
    ASSERT_EQ(parsed.root().items[1]->items.size(), 2U);
    EXPECT_EQ(parsed.root().items[1]->items[1]->integer, 2);
  }
  const std::string tuples = pickle("K\x01\x85K\x02\x86K\x03K\x04\x87");
  EXPECT_EQ(Pickle(bytes_of(tuples)).root().items.size(), 3U);
}

TEST(Pickle, IgnoresTheMetadataOfAnOrderedDict) {
  const std::string content =
      pickle(global("collections", "OrderedDict") + ")R" + dict({text("_metadata"), "}"}) + "b");
  const Pickle parsed(bytes_of(content));
  EXPECT_EQ(parsed.root().kind, PickleKind::kDict);
  EXPECT_TRUE(parsed.root().items.empty());
}

TEST(Pickle, RefusesNamesThatWeightsDoNotNeed) {
  const std::string command = text("touch /tmp/pwned");
  for (const auto& [mod, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"builtins", "eval"},
                                                        {"builtins", "getattr"},
                                                        {"__builtin__", "exec"},
                                                        {"subprocess", "Popen"},
                                                        {"torch", "load"},
                                                        {"torch.hub", "load"},
                                                        {"torch._utils", "_rebuild_qtensor"},
                                                        {"numpy.core.multiarray", "scalar"},
                                                        {"collections", "OrderedDict.x"},
                                                        {"__torch__", "x"},
                                                        {"", ""}}) {
    const std::string expected =
        "it asks for \"" + mod + "." + name + "\", which weights do not need and which is refused";
    if (mod == "__torch__") continue;
    EXPECT_THAT(error_of(pickle(global(mod, name) + command + "\x85R")), HasSubstr(expected));
    EXPECT_THAT(error_of(pickle(text(mod) + text(name) + "\x93" + command + "\x85R")), HasSubstr(expected));
  }
}

TEST(Pickle, RefusesOtherOpcodes) {
  // INST, OBJ, EXT1, PERSID, protocol-0 INT, LONG4, NEWOBJ_EX, BYTEARRAY8, EMPTY_SET, DUP, POP.
  for (const char opcode : {'i', 'o', '\x82', 'P', 'I', '\x8b', '\x92', '\x96', '\x8f', '2', '0'}) {
    EXPECT_THAT(error_of(pickle("N" + std::string(1, opcode) + "cos\nsystem\n")), HasSubstr("refused"))
        << opcode;
  }
}

TEST(Pickle, RefusesMalformedPrograms) {
  EXPECT_THAT(error_of(""), HasSubstr("breaks off"));
  EXPECT_THAT(error_of("(dp0\n."), HasSubstr("protocol 2 or later"));
  EXPECT_THAT(error_of("\x80\x06N."), HasSubstr("protocol 6"));
  EXPECT_THAT(error_of("\x80\x02N"), HasSubstr("breaks off"));
  EXPECT_THAT(error_of(pickle("N") + "N"), HasSubstr("bytes after the end"));
  EXPECT_THAT(error_of(pickle("")), HasSubstr("other than one value"));
  EXPECT_THAT(error_of(pickle("NN")), HasSubstr("other than one value"));
  EXPECT_THAT(error_of(pickle("N(")), HasSubstr("other than one value"));
  EXPECT_THAT(error_of(pickle("\x85")), HasSubstr("empty stack"));
  EXPECT_THAT(error_of(pickle("N(\x85")), HasSubstr("empty stack"));
  EXPECT_THAT(error_of(pickle("Nt")), HasSubstr("mark is missing"));
  EXPECT_THAT(error_of(pickle("N(NNe")), HasSubstr("items for no list"));
  EXPECT_THAT(error_of(pickle("](Nu")), HasSubstr("items for no dict"));
  EXPECT_THAT(error_of(pickle("}(Nu")), HasSubstr("key without its value"));
  EXPECT_THAT(error_of(pickle("NNs")), HasSubstr("empty stack"));
  EXPECT_THAT(error_of(pickle("h\x05")), HasSubstr("memo 5"));
  EXPECT_THAT(error_of(pickle("q\x05")), HasSubstr("empty stack"));
  EXPECT_THAT(error_of(pickle("N)R")), HasSubstr("no function"));
  EXPECT_THAT(error_of(pickle(global("torch", "Size") + "NR")), HasSubstr("without a tuple"));
  EXPECT_THAT(error_of(pickle(global("torch", "Size") + ")\x81")), HasSubstr("no TorchScript class"));
  EXPECT_THAT(error_of(pickle(global("__torch__.m", "Net") + ")R")), HasSubstr("a call of the class"));
  EXPECT_THAT(error_of(pickle(global("collections", "OrderedDict") + "N\x85R")),
              HasSubstr("made with arguments"));
  EXPECT_THAT(error_of(pickle("NNb")), HasSubstr("state for something"));
  EXPECT_THAT(error_of(pickle(global("__torch__.m", "Net") + ")\x81}b}b")), HasSubstr("state for something"));
  EXPECT_THAT(error_of(pickle("ccollections")), HasSubstr("name breaks off"));
  EXPECT_THAT(error_of(pickle("NN\x93")), HasSubstr("no text"));
  EXPECT_THAT(error_of(pickle("\x8a\x09" + std::string(9, '\1'))), HasSubstr("beyond 64 bits"));
  EXPECT_THAT(error_of(pickle("X" + raw<std::uint32_t>(0xFFFFFFFF))), HasSubstr("breaks off"));
  EXPECT_THAT(error_of(pickle("\x8d" + raw(~std::uint64_t{0}))), HasSubstr("breaks off"));
  EXPECT_THAT(error_of(pickle("\x95" + raw(~std::uint64_t{0}))), HasSubstr("frame breaks off"));
}

TEST(Pickle, BearsDeepNesting) {
  std::string deep = ")";
  for (int i = 0; i < 1'000'000; ++i) deep += "\x85";
  EXPECT_EQ(error_of(pickle(deep)), "(no error)");
  EXPECT_THAT(error_of(pickle(std::string(2'000'000, '('))), HasSubstr("stack is too deep"));
  EXPECT_THAT(error_of(pickle(std::string(1'500'000, 'N'))), HasSubstr("stack is too deep"));
  std::string wide = "](";
  for (int i = 0; i < 3; ++i) wide += std::string(900'000, 'N') + "e(";
  EXPECT_THAT(error_of(pickle(wide)), HasSubstr("more than weights need"));
  EXPECT_THAT(error_of("\x80\x02" + std::string((std::size_t{32} << 20U) + 1, 'N')),
              HasSubstr("more than weights need"));
}

TEST(Pickle, BearsMemoAbuse) {
  // "Billion laughs": sharing costs nothing until somebody walks it, and cycles are legal.
  std::string laughs = ")q\x01";
  for (int i = 0; i < 1000; ++i) laughs += "h\x01\x86q\x01";
  EXPECT_EQ(error_of(pickle(laughs)), "(no error)");
  EXPECT_EQ(error_of(pickle("]q\x01h\x01"
                            "a")),
            "(no error)");
  EXPECT_EQ(error_of(pickle("Nr\xFF\xFF\xFF\xFF")), "(no error)");
  std::string gets = ")q\x01(";
  gets += std::string(3'000'000, 'h');
  EXPECT_NE(error_of(pickle(gets)), "(no error)");
}

TEST(Pickle, RandomProgramsNeverCrash) {
  // Bytes that are opcodes more often than chance would have it.
  const std::string opcodes = "(.JKMNQRXabcehjqrstu]})GBC\x81\x85\x86\x87\x88\x89\x8a\x8c\x8d\x93\x94\x95";
  std::mt19937 random(5);
  int accepted = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string content = "\x80\x02";
    const auto length = static_cast<unsigned>(random() % 40);
    for (unsigned i = 0; i < length; ++i) {
      content += random() % 4 != 0 ? opcodes[random() % opcodes.size()] : static_cast<char>(random() % 256);
    }
    accepted += error_of(content + ".") == "(no error)" ? 1 : 0;
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace quasar::checkpoint
