// What the tests provoke is in no program that ships.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
namespace fs = std::filesystem;

/// Set in this process, so that the shipped program inherits it.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(Hooks, AreInTheTestsProgramsAlone) {
  const std::string mark = "QUASAR_TEST_";
  const auto shipped = fs::path(QUASAR_PROGRAM).parent_path();
  const auto hooked = fs::path(QUASAR_HOOKED_PROGRAM).parent_path();
  for (const auto& [name, hook] : {std::pair("quasar", "STOP"), std::pair("quasar-engine", "STOP"),
                                   std::pair("quasar-decode", "POISON")}) {
    const auto bytes = content(shipped / name);
    ASSERT_FALSE(bytes.empty()) << name;
    EXPECT_EQ(bytes.find(mark), std::string::npos) << name;
    EXPECT_NE(content(hooked / name).find(mark + hook), std::string::npos) << name;
  }
}

TEST(Hooks, TheShippedProgramsIgnoreTheirVariables) {
  const ScratchFolder scratch;
  const auto pictures = (scratch / "pictures").string();
  ASSERT_EQ(run_quasar({"scenes", pictures, "--count", "4", "--width", "72", "--height", "64"}).status, 0);
  const auto config = (scratch / "config.yaml").string();
  write_text(config, "run: " + (scratch / "run").string() + "\ncorpus: {directory: " + pictures +
                         "}\nanchors: {quality: " + (source_dir() / "anchors" / "mini-quality.h5").string() +
                         "}\n");
  const Variable poison("QUASAR_TEST_POISON", "abort:*");
  const Variable stop("QUASAR_TEST_STOP", "embed:0:kill");
  const auto outcome = run_quasar({"run", config});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("4 rows: 4 scored, 0 failed"), std::string::npos) << outcome.output;
}

}  // namespace
