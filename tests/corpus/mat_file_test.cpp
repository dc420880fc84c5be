// MATLAB's files, written here byte by byte as its documentation has version 5: good ones, and those that
// would take all memory, all stack or all time.
#include "corpus/benchmarks/mat_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <fstream>

#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::corpus {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Data types and classes of "MAT-File Format" (MathWorks), level 5.
enum MatType : std::uint32_t {
  kInt8 = 1,
  kInt32 = 5,
  kUint32 = 6,
  kDouble = 9,
  kMatrix = 14,
  kCompressed = 15,
  kUtf8 = 16
};
enum MatClass : std::uint32_t { kCell = 1, kChar = 4, kDoubles = 6 };

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// Tag and data, padded to eight bytes.
std::string element(std::uint32_t type, std::string data) {
  const auto size = static_cast<std::uint32_t>(data.size());
  if (type != kCompressed) data.resize((data.size() + 7) / 8 * 8);
  return bytes_of(type) + bytes_of(size) + data;
}

/// What an array has before its data.
std::string array_head(std::uint32_t kind, std::int32_t rows, std::int32_t columns, const std::string& name) {
  return element(kUint32, bytes_of(kind) + bytes_of(std::uint32_t{0})) +
         element(kInt32, bytes_of(rows) + bytes_of(columns)) + element(kInt8, name);
}
std::string array(std::uint32_t kind, std::int32_t columns, const std::string& name,
                  const std::string& data) {
  return element(kMatrix, array_head(kind, 1, columns, name) + data);
}
std::string text(const std::string& value) {
  return array(kChar, static_cast<std::int32_t>(value.size()), "", element(kUtf8, value));
}

std::string deflated(const std::string& data) {
  auto size = compressBound(data.size());
  std::string packed(size, '\0');
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                     reinterpret_cast<const Bytef*>(data.data()), data.size()),
            Z_OK);
  packed.resize(size);
  return element(kCompressed, packed);
}

/// `head` and then `blocks` mebibytes of zeros, compressed to about a kilobyte each. A block that starts anew
/// is the same bytes wherever it stands.
std::string deflated_bomb(const std::string& head, std::size_t blocks) {
  const std::string zeros(std::size_t{1} << 20U, '\0');
  z_stream stream{};
  EXPECT_EQ(deflateInit(&stream, Z_BEST_COMPRESSION), Z_OK);
  const auto add = [&](const std::string& data) {
    std::string packed(data.size() + 1024, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    EXPECT_EQ(deflate(&stream, Z_FULL_FLUSH), Z_OK);
    packed.resize(packed.size() - stream.avail_out);
    return packed;
  };
  std::string packed = add(head);
  const std::string block = add(zeros);
  deflateEnd(&stream);
  for (std::size_t i = 0; i < blocks; ++i) packed += block;
  return element(kCompressed, packed);
}

class MatFileTest : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& elements) const {
    std::string header = "MATLAB 5.0 MAT-file";
    header.resize(124, ' ');
    const auto path = scratch_ / "labels.mat";
    std::ofstream(path, std::ios::binary) << header + bytes_of(std::uint16_t{0x0100}) + "IM" + elements;
    return path;
  }
  std::string error_of(const std::string& elements, const std::vector<std::string>& texts,
                       const std::vector<std::string>& numbers) const {
    try {
      read_mat(write(elements), texts, numbers);
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr("labels.mat: "));
      return error.what();
    }
    return "no error";
  }
  /// The most memory that this process and those that it has waited for have had at once, in mebibytes.
  static long peak() {
    rusage own{};
    rusage others{};
    ::getrusage(RUSAGE_SELF, &own);
    ::getrusage(RUSAGE_CHILDREN, &others);
    return std::max(own.ru_maxrss, others.ru_maxrss) >> 10U;
  }

  test::ScratchFolder scratch_;
};

TEST_F(MatFileTest, ReadsTextsAndNumbersCompressedOrNot) {
  const std::string names = array(kCell, 2, "names", text("a.jpg") + text("b.jpg"));
  const std::string scores = array(kDoubles, 2, "scores", element(kDouble, bytes_of(0.25) + bytes_of(0.5)));
  for (const auto& elements : {names + scores, deflated(names) + deflated(scores)}) {
    const auto read = read_mat(write(elements), {"names"}, {"scores"});
    EXPECT_THAT(read.texts.at("names"), ElementsAre("a.jpg", "b.jpg"));
    EXPECT_THAT(read.numbers.at("scores"), ElementsAre(0.25, 0.5));
  }
  EXPECT_THAT(error_of(names, {"names"}, {"scores"}), HasSubstr("there is no variable scores"));
  EXPECT_THAT(error_of(names + scores, {"scores"}, {}), HasSubstr("scores is no cell of texts"));
}

TEST_F(MatFileTest, AVariableThatInflatesToGigabytesIsRefused) {
  constexpr std::size_t kMebibytes = 4095;
  constexpr auto kBytes = static_cast<std::uint32_t>(kMebibytes << 20U);
  const auto declared = [&](std::uint32_t kind, std::int32_t columns) {
    // Of a type of a byte each: few enough elements for a list of labels could be gigabytes otherwise.
    const auto head = array_head(kind, 1, columns, "scores");
    return bytes_of(kMatrix) + bytes_of(static_cast<std::uint32_t>(head.size() + 8 + kBytes)) + head +
           bytes_of(std::uint32_t{kDouble}) + bytes_of(kBytes);
  };
  const auto before = peak();
  const auto as_many = deflated_bomb(declared(kDoubles, static_cast<std::int32_t>(kBytes / 8)), kMebibytes);
  EXPECT_LT(as_many.size(), std::size_t{8} << 20U);
  EXPECT_THAT(error_of(as_many, {}, {"scores"}),
              AllOf(HasSubstr("declares 536,739,840 elements"), HasSubstr("at most 10,000,000")));
  // A cell of ten million texts, none of which is there.
  EXPECT_THAT(error_of(deflated_bomb(declared(kCell, 9'000'000), kMebibytes), {"scores"}, {}),
              AnyOf(HasSubstr("512.0 MiB"), HasSubstr("is no text"), HasSubstr("within 60 s")));
  // A cell of one text, which is two gigabytes.
  constexpr std::size_t kTextMebibytes = 2000;
  constexpr auto kText = static_cast<std::uint32_t>(kTextMebibytes << 20U);
  const auto text_head = array_head(kChar, 1, static_cast<std::int32_t>(kText), "");
  const auto text_tag = bytes_of(kMatrix) +
                        bytes_of(static_cast<std::uint32_t>(text_head.size() + 8 + kText)) + text_head +
                        bytes_of(std::uint32_t{kUtf8}) + bytes_of(kText);
  const auto cell_head = array_head(kCell, 1, 1, "names");
  const auto cell = bytes_of(kMatrix) +
                    bytes_of(static_cast<std::uint32_t>(cell_head.size() + text_tag.size() + kText)) +
                    cell_head;
  EXPECT_THAT(error_of(deflated_bomb(cell + text_tag, kTextMebibytes), {"names"}, {}),
              // Allocators of sanitizers end the process.
              AnyOf(HasSubstr("takes more than the 512.0 MiB of memory that a list of labels may"),
                    HasSubstr("crashes, or takes more than 512.0 MiB of memory")));
  EXPECT_LT(peak() - before, 700);
}

TEST_F(MatFileTest, AHeaderThatDeclaresMoreThanThereIsTakesNoMemory) {
  const auto before = peak();
  constexpr std::int32_t kMost = 0x7fffffff;
  for (const auto kind : {kCell, kDoubles}) {
    const std::string plain = array(kind, kMost, "scores", element(kDouble, bytes_of(0.5)));
    for (const auto& elements : {plain, deflated(plain)}) {
      const auto error =
          kind == kCell ? error_of(elements, {"scores"}, {}) : error_of(elements, {}, {"scores"});
      EXPECT_THAT(error, AnyOf(HasSubstr("declares 2,147,483,647 elements"), HasSubstr("512.0 MiB")));
    }
  }
  EXPECT_LT(peak() - before, 700);
}

TEST_F(MatFileTest, CellsWithinCellsAreRefusedHoweverDeep) {
  std::string inner = text("a.jpg");
  for (int depth = 0; depth < 10'000; ++depth) inner = array(kCell, 1, depth == 9'999 ? "names" : "", inner);
  for (const auto& elements : {inner, deflated(inner)})
    EXPECT_THAT(error_of(elements, {"names"}, {}),
                AnyOf(HasSubstr("names{1} is no text"), HasSubstr("crashes, or takes more than 512.0 MiB")));
}

}  // namespace
}  // namespace quasar::corpus
