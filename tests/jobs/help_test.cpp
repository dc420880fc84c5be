// The help that the program gives of itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/exit_status.h"
#include "program.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;

void expect_lines_fit(const Outcome& outcome) {
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  std::istringstream lines(outcome.output);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

TEST(Help, OfTheProgramNamesEverySubcommandAndExitStatusAndAnExample) {
  const auto outcome = run_quasar({"--help"});
  expect_lines_fit(outcome);
  for (const char* name : {"run", "embed", "anchors", "score", "rank", "plan", "verify", "status", "inspect"})
    EXPECT_THAT(outcome.output, HasSubstr("\n  " + std::string(name) + " "));
  for (const auto code : quasar::base::all_exit_codes()) {
    EXPECT_THAT(outcome.output, HasSubstr(std::to_string(static_cast<int>(code)) + "  " +
                                          std::string(quasar::base::exit_meaning(code))));
  }
  EXPECT_THAT(outcome.output, HasSubstr("quasar run configs/folder.yaml --set run=out"));
}

TEST(Help, OfEverySubcommandFitsATerminalAndDoesNotRepeatTheProgramsFooter) {
  for (const char* name : {"run", "embed", "anchors", "score", "rank", "plan", "verify", "status", "inspect",
                           "scenes", "evaluate"}) {
    const auto outcome = run_quasar({name, "--help"});
    expect_lines_fit(outcome);
    EXPECT_THAT(outcome.output, HasSubstr("Usage: quasar " + std::string(name)));
    EXPECT_THAT(outcome.output, testing::Not(HasSubstr("Exit status")));
  }
}

}  // namespace
