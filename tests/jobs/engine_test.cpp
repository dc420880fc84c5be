// What quasar does itself, without LibTorch, and how it becomes quasar-engine for the rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "program.h"
#include "support/test_data.h"

namespace {

using namespace quasar::test;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

const fs::path kPrograms = fs::path(QUASAR_PROGRAM).parent_path();

/// Libraries that a program loads, as the loader lists them.
std::string libraries_of(const fs::path& program) {
  const std::string command = "ldd '" + program.string() + "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string text;
  char part[4096];
  while (pipe != nullptr && std::fgets(part, sizeof part, pipe.get()) != nullptr) text += part;
  return text;
}

/// A quasar that is alone in its folder, and a run to work on.
class WithoutEngine : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(scratch_ / "bin");
    fs::copy_file(QUASAR_PROGRAM, program());
    // Which the report's pictures are decoded by.
    fs::copy_file(kPrograms / "quasar-decode", scratch_ / "bin" / "quasar-decode");
    fs::copy(test_file("store/versions/run-2"), run(), fs::copy_options::recursive);
  }

  fs::path program() const { return scratch_ / "bin" / "quasar"; }
  fs::path run() const { return scratch_ / "run"; }
  fs::path anchors() const { return source_dir() / "anchors" / "mini-quality.h5"; }

  Outcome quasar(const std::vector<std::string>& arguments, int ranks = 0,
                 const std::vector<std::string>& environment = {}) const {
    return Program(arguments, ranks, environment, program()).wait();
  }
  std::vector<std::string> on_run(const std::string& job) const {
    return {job,     test_file("store/versions/config.yaml").string(), "--set", "run=" + run().string(),
            "--set", "anchors={shipped: " + anchors().string() + "}"};
  }

  ScratchFolder scratch_;
};

TEST(Engine, LoadsWhatQuasarDoesNot) {
  const auto light = libraries_of(QUASAR_PROGRAM);
  ASSERT_THAT(light, HasSubstr("libmpi"));
  for (const char* heavy : {"libtorch", "libc10", "libfaiss", "libvips"})
    EXPECT_THAT(light, Not(HasSubstr(heavy)));
  EXPECT_THAT(libraries_of(kPrograms / "quasar-engine"), HasSubstr("libtorch"));
}

TEST_F(WithoutEngine, HelpAndMistakesOfEverySubcommandAreAnswered) {
  const auto help = quasar({"--help"});
  EXPECT_EQ(help.status, 0) << help.output;
  EXPECT_THAT(help.output, HasSubstr("\n  evaluate "));
  for (const char* job : {"run", "embed", "score", "verify", "rank", "scenes"}) {
    const auto one = quasar({job, "--help"});
    EXPECT_EQ(one.status, 0) << one.output;
    EXPECT_THAT(one.output, HasSubstr("Usage: quasar " + std::string(job)));
    const auto mistaken = quasar({job});
    EXPECT_EQ(mistaken.status, 2) << mistaken.output;
    EXPECT_THAT(mistaken.output, HasSubstr("quasar " + std::string(job) + " --help"));
  }
  const auto unknown = quasar({"rnu"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.output, HasSubstr("did you mean \"run\"?"));
}

TEST_F(WithoutEngine, StoredRunsAreLookedAtAndRanked) {
  const auto status = quasar({"status", run().string()});
  EXPECT_EQ(status.status, 0) << status.output;
  EXPECT_THAT(status.output, HasSubstr("2 of 2 finished"));
  const auto inspected = quasar({"inspect", (run() / "embeddings" / "shard-000000.h5").string()});
  EXPECT_EQ(inspected.status, 0) << inspected.output;
  EXPECT_THAT(inspected.output, HasSubstr("quasar embedding shard"));
  for (const char* file : {"manifest.csv", "manifest.jsonl", "summary.json"}) fs::remove(run() / file);
  const auto ranked = quasar(on_run("rank"), 2);
  EXPECT_EQ(ranked.status, 0) << ranked.output;
  for (const char* file : {"manifest.csv", "manifest.jsonl"})
    EXPECT_EQ(without_later_columns(content(run() / file)), content(test_file("store/versions/run-2") / file))
        << file;
  // That run was embedded before it was recorded with what.
  const auto summary = nlohmann::json::parse(content(run() / "summary.json"));
  EXPECT_EQ(summary["software"]["libtorch"], "not recorded");
}

TEST_F(WithoutEngine, PlansAreFrozen) {
  fs::create_directory(scratch_ / "pictures");
  write_text(scratch_ / "pictures" / "a.png", "a");
  write_text(scratch_ / "config.yaml", "run: " + (scratch_ / "new").string() + "\ncorpus: {directory: " +
                                           (scratch_ / "pictures").string() + "}\n");
  const std::vector<std::string> environment = {"QUASAR_DATA_DIR=" + source_dir().string()};
  const auto frozen = quasar({"plan", (scratch_ / "config.yaml").string(), "--freeze"}, 0, environment);
  EXPECT_EQ(frozen.status, 0) << frozen.output;
  EXPECT_TRUE(fs::exists(scratch_ / "new" / "plan.json"));
}

TEST_F(WithoutEngine, WrongConfigurationsAreRefusedOnAnyNumberOfRanks) {
  for (const char* job : {"run", "embed", "anchors", "score", "verify", "plan"}) {
    auto arguments = on_run(job);
    arguments.insert(arguments.end(), {"--set", "corpus={directory: " + (scratch_ / "bin").string() + "}",
                                       "--set", "decode.max_pixel=3"});
    const auto outcome = quasar(arguments, job == std::string("run") ? 2 : 0);
    EXPECT_EQ(outcome.status, 3) << job << ": " << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("did you mean \"max_pixels\"?")) << job;
    EXPECT_EQ(outcome.output.find("max_pixels"), outcome.output.rfind("max_pixels"))
        << "said once: " << outcome.output;
  }
}

TEST_F(WithoutEngine, WhatNeedsItSaysWhatIsMissingOnce) {
  const auto result = scratch_ / "result";
  const auto outcome = quasar(on_run("score"), 2, {"QUASAR_RESULT=" + result.string()});
  EXPECT_EQ(outcome.status, 4) << outcome.output;
  const std::string message = "quasar: cannot start " + (scratch_ / "bin" / "quasar-engine").string();
  const auto first = outcome.output.find(message);
  ASSERT_NE(first, std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.find(message, first + 1), std::string::npos) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("set QUASAR_ENGINE to where it is"));
  EXPECT_EQ(content(result), "4\n");
  EXPECT_EQ(quasar({"--version"}).status, 4);
}

TEST_F(WithoutEngine, ARankThatLacksItAloneEndsTheJobWithItsError) {
  const std::string script =
      "[ \"$OMPI_COMM_WORLD_RANK\" != 1 ] || export QUASAR_ENGINE=/nowhere/engine; "
      "exec \"$@\"";
  std::vector<std::string> words = {"-c", script, "sh", QUASAR_PROGRAM};
  for (const auto& word : on_run("score")) words.push_back(word);
  const auto outcome = Program(words, 2, {}, "/bin/sh").wait();
  EXPECT_EQ(outcome.status, 4) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("cannot start /nowhere/engine"));
}

TEST_F(WithoutEngine, TheEnvironmentNamesOne) {
  const auto version = quasar({"--version"}, 0, {"QUASAR_ENGINE=" + (kPrograms / "quasar-engine").string()});
  EXPECT_EQ(version.status, 0) << version.output;
  EXPECT_THAT(version.output, HasSubstr("LibTorch "));
  const auto itself = quasar({"--version"}, 0, {"QUASAR_ENGINE=" + program().string()});
  EXPECT_EQ(itself.status, 4) << itself.output;
  EXPECT_THAT(itself.output, HasSubstr("it is quasar itself"));
}

TEST(Engine, ARankingApartGivesTheBytesOfTheWholeJob) {
  const ScratchFolder scratch;
  const auto pictures = (scratch / "pictures").string();
  ASSERT_EQ(render_scenes(pictures, {"--count", "4", "--width", "72", "--height", "64"}).status, 0);
  const auto config = (scratch / "config.yaml").string();
  write_text(config, "run: " + (scratch / "run").string() + "\ncorpus: {directory: " + pictures +
                         "}\nanchors: {quality: " + (source_dir() / "anchors" / "mini-quality.h5").string() +
                         "}\n");
  ASSERT_EQ(run_quasar({"run", config}).status, 0);
  const auto software = nlohmann::json::parse(content(scratch / "run" / "software.json"));
  const std::vector<std::string> files = {"manifest.csv", "manifest.jsonl", "summary.json", "report.html"};
  fs::create_directory(scratch / "whole");
  for (const auto& file : files) fs::rename(scratch / "run" / file, scratch / "whole" / file);
  const auto summary = nlohmann::json::parse(content(scratch / "whole" / "summary.json"));
  EXPECT_EQ(summary["software"], software);
  EXPECT_EQ(summary["software"]["libtorch"].get<std::string>().find("not"), std::string::npos);
  const auto ranked = run_quasar({"rank", config});
  ASSERT_EQ(ranked.status, 0) << ranked.output;
  for (const auto& file : files)
    EXPECT_EQ(content(scratch / "run" / file), content(scratch / "whole" / file)) << file;
}

}  // namespace
