#include "base/read_at.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "base/atomic_file.h"
#include "support/test_data.h"

namespace quasar::base {
namespace {

std::string read_text(const Descriptor& file, std::uint64_t offset, std::size_t size) {
  std::string text(size, '-');
  const auto read = read_at(file, offset, std::as_writable_bytes(std::span(text)));
  EXPECT_EQ(read.error, 0);
  return text.substr(0, read.bytes);
}

TEST(ReadAt, GivesWhatThereIsAtAPlace) {
  const test::ScratchFolder folder;
  write_file_atomically(folder / "file", "0123456789");
  const Descriptor file(::open((folder / "file").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(read_text(file, 0, 10), "0123456789");
  EXPECT_EQ(read_text(file, 3, 4), "3456");
  EXPECT_EQ(read_text(file, 8, 10), "89") << "the file ends";
  EXPECT_EQ(read_text(file, 10, 1), "");
  EXPECT_EQ(read_text(file, 1000, 1), "");
  EXPECT_EQ(read_text(file, 0, 0), "");
}

TEST(ReadAt, SaysWhatStoppedIt) {
  const test::ScratchFolder folder;
  const Descriptor itself(::open((folder / ".").c_str(), O_RDONLY | O_CLOEXEC));
  std::byte byte{};
  const auto read = read_at(itself, 0, std::span(&byte, 1));
  EXPECT_EQ(read.bytes, 0U);
  EXPECT_EQ(read.error, EISDIR);
}

}  // namespace
}  // namespace quasar::base
