#include "exports/export_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quasar::exports {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::vector<ExportConfig> read(const std::string& text) {
  const auto root = base::ConfigNode::parse_text(text, "test.yaml");
  auto configs = export_configs_from_yaml(root.child("export"));
  root.finish();
  return configs;
}

std::string refusal(const std::string& text) {
  try {
    read(text);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kConfig);
    return error.what();
  }
  return "";
}

TEST(ExportConfigTest, DefaultsAreThoseOfImg2dataset) {
  const auto configs = read("export: {a: {format: webdataset, folder: x}, b: {format: npy, folder: y}}");
  ASSERT_EQ(configs.size(), 2U);
  EXPECT_EQ(configs[0].rows, 10'000U);
  EXPECT_EQ(configs[0].bytes, 3'000'000'000U);
  EXPECT_EQ(configs[0].order, Order::kScore);
  EXPECT_EQ(configs[1].order, Order::kPlan);
  EXPECT_TRUE(configs[1].half);
}

TEST(ExportConfigTest, SettingsTellWhatDecidesOnTheBytes) {
  const auto settings = [](const std::string& keys) {
    return read("export: {a: {format: webdataset, folder: x" + keys + "}}").at(0).settings;
  };
  EXPECT_EQ(settings(""), settings(", order: score, rows: 10000"));
  EXPECT_NE(settings(""), settings(", order: shuffle"));
  EXPECT_NE(settings(", order: shuffle"), settings(", order: shuffle, seed: 2"));
  EXPECT_NE(settings(""), settings(", extension: jpg"));
  EXPECT_EQ(read("export: {a: {format: urls, folder: x}}").at(0).settings, "format: urls\nfield: url\n");
}

TEST(ExportConfigTest, MistakesAreNamed) {
  EXPECT_THAT(refusal("export: {a: {folder: x}}"),
              AllOf(HasSubstr("export.a"), HasSubstr("webdataset, imagefolder")));
  EXPECT_THAT(refusal("export: {a: {format: webdataset}}"), HasSubstr("folder"));
  EXPECT_THAT(refusal("export: {a: {format: web, folder: x}}"), HasSubstr("webdataset"));
  EXPECT_THAT(refusal("export: {a: {format: webdataset, folder: x, rows: 0}}"), HasSubstr("rows"));
  EXPECT_THAT(refusal("export: {a: {format: urls, folder: x, rows: 5}}"), HasSubstr("rows"));
  EXPECT_THAT(refusal("export: {a: {format: webdataset, folder: x, seed: 5}}"), HasSubstr("seed"));
  EXPECT_THAT(refusal("export: {a: x}"), HasSubstr("export.a"));
  EXPECT_THAT(refusal("export: {a: {format: urls, folder: x/y}, b: {format: urls, folder: x/./y}}"),
              AllOf(HasSubstr("export.b"), HasSubstr("\"a\"")));
}

}  // namespace
}  // namespace quasar::exports
