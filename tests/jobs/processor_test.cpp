// A run whose embeddings come from several kinds of processor, as on clusters that grew over the years. Other
// kinds are had by holding the libraries to less.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

/// What makes this machine an older one to OpenBLAS and oneDNN.
const std::vector<std::string> kOlderProcessor = {"OPENBLAS_CORETYPE=Nehalem", "ONEDNN_MAX_CPU_ISA=SSE41"};
constexpr std::uint64_t kPictures = 12;

class ProcessorTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto outcome = render_scenes(
        scratch_ / "pictures", {"--count", std::to_string(kPictures), "--width", "96", "--height", "96"});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }

  std::string config() {
    auto path = (scratch_ / "config.yaml").string();
    write_text(path, "run: " + run().string() + "\ncorpus: {directory: " + (scratch_ / "pictures").string() +
                         ", shard_size: 3}\nanchors: {quality: " +
                         (source_dir() / "anchors" / "mini-quality.h5").string() + "}\n");
    return path;
  }
  fs::path run() { return scratch_ / "run"; }
  nlohmann::json computed_on() {
    return nlohmann::json::parse(content(run() / "summary.json")).at("computed_on");
  }

  ScratchFolder scratch_;
};

TEST_F(ProcessorTest, ARunOfSeveralKindsSaysSoWhileItWorksAndInItsFiles) {
  const auto path = config();
  const auto half = run_quasar({"embed", path, "--part", "0/2"}, 0, kOlderProcessor);
  ASSERT_EQ(half.status, 0) << half.output;
  EXPECT_THAT(half.output, Not(HasSubstr("several kinds")));
  const auto rest = run_quasar({"run", path}, 2);
  ASSERT_EQ(rest.status, 0) << rest.output;
  EXPECT_THAT(rest.output, HasSubstr("several kinds of processor"));
  EXPECT_THAT(rest.output, HasSubstr("OpenBLAS Nehalem"));
  EXPECT_THAT(rest.output, HasSubstr("embed.cpu_capability"));
  EXPECT_THAT(rest.output, HasSubstr("computed on 2 kinds of processor"));
  const auto kinds = computed_on();
  ASSERT_EQ(kinds.size(), 2U) << kinds;
  std::uint64_t rows = 0;
  for (const auto& [kind, count] : kinds.items()) rows += count.get<std::uint64_t>();
  EXPECT_EQ(rows, kPictures);
  EXPECT_THAT(content(run() / "report.html"), HasSubstr("Computed on"));
  const auto shown = run_quasar({"inspect", (run() / "embeddings" / "shard-000000.h5").string()});
  EXPECT_THAT(shown.output, HasSubstr("OpenBLAS Nehalem")) << shown.output;
}

TEST_F(ProcessorTest, OneKindIsNamedAndNotWarnedOf) {
  const auto outcome = run_quasar({"run", config()}, 2);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, Not(HasSubstr("kinds of processor")));
  const auto kinds = computed_on();
  ASSERT_EQ(kinds.size(), 1U) << kinds;
  EXPECT_EQ(kinds.begin().value(), kPictures);
  EXPECT_THAT(kinds.begin().key(), HasSubstr("ATen "));
  EXPECT_THAT(content(run() / "report.html"), Not(HasSubstr("Computed on")));
}

TEST_F(ProcessorTest, HeldToOneCapabilityAllHostsAreOfOneKind) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") == 0) GTEST_SKIP() << "this processor has no AVX2";
#else
  GTEST_SKIP() << "there is one kind only";
#endif
  const auto path = config();
  const std::vector<std::string> held = {"--set", "embed.cpu_capability=avx2"};
  const auto half = run_quasar({"embed", path, "--part", "0/2", held[0], held[1]}, 0, kOlderProcessor);
  ASSERT_EQ(half.status, 0) << half.output;
  const auto rest = run_quasar({"run", path, held[0], held[1]}, 2);
  ASSERT_EQ(rest.status, 0) << rest.output;
  EXPECT_THAT(rest.output, Not(HasSubstr("kinds of processor")));
  const auto kinds = computed_on();
  ASSERT_EQ(kinds.size(), 1U) << kinds;
  EXPECT_THAT(kinds.begin().key(), HasSubstr("ATen AVX2, oneDNN avx2, OpenBLAS Haswell"));
}

TEST_F(ProcessorTest, AnUnknownCapabilityIsAnErrorOfTheConfiguration) {
  const auto outcome = run_quasar({"run", config(), "--set", "embed.cpu_capability=avx3"});
  EXPECT_EQ(outcome.status, 3) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("avx2"));
}

}  // namespace
