#include "encoder/compute_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quasar::encoder {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ComputeKind, NamesWhatThisProcessComputesWith) {
  const ComputeKind kind = compute_kind();
  EXPECT_FALSE(kind.processor.empty());
  EXPECT_FALSE(kind.aten.empty());
  EXPECT_EQ(kind, compute_kind());
  EXPECT_THAT(kind.describe(), AllOf(HasSubstr(kind.processor), HasSubstr("ATen " + kind.aten)));
}

TEST(ComputeKind, SaysWhatItDoesNotKnow) {
  EXPECT_EQ(ComputeKind{}.describe(),
            "unknown processor, ATen unknown, oneDNN unknown, OpenBLAS none, GPU none");
  EXPECT_EQ((ComputeKind{"X", "AVX2", "avx2", "Haswell", "H100"}.describe()),
            "X, ATen AVX2, oneDNN avx2, OpenBLAS Haswell, GPU H100");
}

}  // namespace
}  // namespace quasar::encoder
