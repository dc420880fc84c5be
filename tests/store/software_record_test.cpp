#include "store/software_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/errors.h"
#include "support/test_data.h"

namespace quasar::store {
namespace {

using testing::HasSubstr;

TEST(SoftwareRecord, ComesBackAsItWasWritten) {
  const test::ScratchFolder scratch;
  const RunLayout run(scratch.path());
  EXPECT_TRUE(read_software(run).empty());
  const Software software = {{"libtorch", "1.13.0"}, {"blas", "OpenBLAS 0.3.21 (/usr/lib/x.so)"}};
  write_software(run, software);
  EXPECT_EQ(read_software(run), software);
}

TEST(SoftwareRecord, IsNamedWhenItIsDamaged) {
  const test::ScratchFolder scratch;
  const RunLayout run(scratch.path());
  for (const char* text : {"", "[]", "{\"libtorch\": 1}", "{\"libtorch\"", "\xff"}) {
    std::ofstream(run.software(), std::ios::binary) << text;
    try {
      read_software(run);
      ADD_FAILURE() << text;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kInput);
      EXPECT_THAT(error.what(), HasSubstr(run.software().string()));
    }
  }
}

}  // namespace
}  // namespace quasar::store
