#include "base/exit_status.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "support/test_data.h"

namespace quasar::base {
namespace {

TEST(ExitStatus, TheReadmeListsEveryOneInTheProgramsOwnWords) {
  std::ifstream file(test::source_dir() / "README.md");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto codes = all_exit_codes();
  ASSERT_EQ(codes.size(), 12U);
  for (const auto code : codes) {
    const auto line = fmt::format("\n| {} | {} |", static_cast<int>(code), exit_meaning(code));
    EXPECT_NE(text.find(line), std::string::npos) << "README.md lacks" << line;
  }
}

}  // namespace
}  // namespace quasar::base
