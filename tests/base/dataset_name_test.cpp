// Names of data in files.
#include "base/dataset_name.h"

#include <gtest/gtest.h>

namespace quasar::base {
namespace {

TEST(DatasetName, IsSplitAtItsLastMark) {
  const auto plain = parse_dataset_name("folder/vectors.npy");
  EXPECT_EQ(plain.file, "folder/vectors.npy");
  EXPECT_EQ(plain.dataset, "");
  EXPECT_EQ(plain.text(), "folder/vectors.npy");
  const auto named = parse_dataset_name("a::b.h5::group/good");
  EXPECT_EQ(named.file, "a::b.h5");
  EXPECT_EQ(named.dataset, "group/good");
  EXPECT_EQ(named.text(), "a::b.h5::group/good");
  EXPECT_EQ(resolve_dataset_name("/not-there.h5::good").text(), "/not-there.h5::good");
}

}  // namespace
}  // namespace quasar::base
