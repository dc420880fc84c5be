#include "encoder/compute_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quasar::encoder {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ProcessorKind, NamesWhatThisProcessComputesWith) {
  const ProcessorKind kind = processor_kind();
  EXPECT_FALSE(kind.model.empty());
  EXPECT_FALSE(kind.aten.empty());
  EXPECT_EQ(kind, processor_kind());
  EXPECT_THAT(kind.describe(), AllOf(HasSubstr(kind.model), HasSubstr("ATen " + kind.aten)));
}

TEST(ProcessorKind, SaysWhatItDoesNotKnow) {
  EXPECT_EQ(ProcessorKind{}.describe(), "unknown processor, ATen unknown, oneDNN unknown, OpenBLAS none");
  EXPECT_EQ((ProcessorKind{"X", "AVX2", "avx2", "Haswell"}.describe()),
            "X, ATen AVX2, oneDNN avx2, OpenBLAS Haswell");
}

TEST(GpuModels, AlwaysSaysSomething) {
  EXPECT_FALSE(gpu_models().empty());
}

}  // namespace
}  // namespace quasar::encoder
