#include "base/status.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "support/test_data.h"

namespace quasar::base {
namespace {

TEST(RowStatus, TheDocumentationExplainsEachInTheirOrder) {
  std::ifstream file(test::source_dir() / "docs" / "results.md");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::size_t before = 0;
  for (const auto status : all_statuses()) {
    const auto at = text.find("\n| `" + std::string(status_name(status)) + "` | ");
    ASSERT_NE(at, std::string::npos) << "docs/results.md lacks " << status_name(status);
    EXPECT_GT(at, before) << status_name(status);
    before = at;
  }
}

}  // namespace
}  // namespace quasar::base
