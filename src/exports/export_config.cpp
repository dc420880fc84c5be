#include "exports/export_config.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

namespace quasar::exports {
namespace {

/// What is known of the samples of a shard is held in memory.
constexpr std::int64_t kMostSamples = 1'000'000;
constexpr std::int64_t kMostRows = 100'000'000;
constexpr std::uint64_t kTableRows = 1'000'000;

/// Reads keys, and takes down what they come to.
class Reader {
 public:
  Reader(const base::ConfigNode& node, std::string& settings) : node_(node), settings_(settings) {}

  template <typename E>
  E choice(const char* key, E fallback, const std::vector<std::pair<std::string_view, E>>& names) {
    const E value = node_.get_enum(key, fallback, names);
    for (const auto& [name, named] : names) {
      if (named == value) settings_ += fmt::format("{}: {}\n", key, name);
    }
    return value;
  }
  bool truth(const char* key, bool fallback) {
    const bool value = node_.get(key, fallback);
    settings_ += fmt::format("{}: {}\n", key, value);
    return value;
  }
  std::string text(const char* key, const std::string& fallback) {
    auto value = node_.get(key, fallback);
    settings_ += fmt::format("{}: {}\n", key, value);
    return value;
  }
  std::uint64_t number(const char* key, std::uint64_t fallback, std::int64_t low, std::int64_t high) {
    const auto value =
        static_cast<std::uint64_t>(node_.get_in(key, static_cast<std::int64_t>(fallback), low, high));
    settings_ += fmt::format("{}: {}\n", key, value);
    return value;
  }

 private:
  const base::ConfigNode& node_;
  std::string& settings_;
};

void read_order(Reader& reader, ExportConfig& config) {
  config.order =
      reader.choice<Order>("order", config.order, {{"score", Order::kScore}, {"shuffle", Order::kShuffle}});
  if (config.order == Order::kShuffle) config.seed = reader.number("seed", config.seed, 0, INT64_MAX);
  config.grouping = reader.choice<Grouping>(
      "formats", config.grouping,
      {{"as_they_come", Grouping::kAsTheyCome}, {"homogeneous", Grouping::kHomogeneous}});
}

void read_shards(Reader& reader, ExportConfig& config) {
  read_order(reader, config);
  config.rows = reader.number("rows", config.rows, 1, kMostSamples);
  config.bytes = reader.number("bytes", config.bytes, 1, INT64_MAX);
}

void read_extension(Reader& reader, ExportConfig& config) {
  config.extension = reader.choice<Extension>(
      "extension", config.extension,
      {{"content", Extension::kContent}, {"jpg", Extension::kJpg}, {"kept", Extension::kKept}});
}

/// Of tables, whose rows are small.
void read_table_rows(Reader& reader, ExportConfig& config) {
  config.rows = reader.number("rows", kTableRows, 1, kMostRows);
  config.bytes = UINT64_MAX;
}

const std::vector<std::pair<std::string_view, Format>>& formats() {
  static const std::vector<std::pair<std::string_view, Format>> names = {
      {"webdataset", Format::kWebDataset},
      {"imagefolder", Format::kImageFolder},
      {"parquet", Format::kParquet},
      {"npy", Format::kNpy},
      {"datacomp_uids", Format::kDataCompUids},
      {"urls", Format::kUrls}};
  return names;
}

ExportConfig export_from_yaml(const std::string& name, const base::ConfigNode& node) {
  if (!node.is_map()) node.fail("an export is a map with \"format\" and \"folder\"");
  ExportConfig config;
  config.name = name;
  Reader reader(node, config.settings);
  if (!node.has("format")) {
    std::string names;
    for (const auto& [format, value] : formats())
      names += fmt::format("{}{}", names.empty() ? "" : ", ", format);
    node.fail("\"format\" is missing, one of " + names);
  }
  config.format = reader.choice<Format>("format", config.format, formats());
  config.folder = node.require<std::filesystem::path>("folder");
  if (config.folder.empty()) node.child("folder").fail("a folder is needed");
  switch (config.format) {
    case Format::kWebDataset:
      read_shards(reader, config);
      read_extension(reader, config);
      config.members = reader.choice<Members>("members", config.members,
                                              {{"all", Members::kAll}, {"image", Members::kImage}});
      config.with_parquet = reader.truth("parquet", config.with_parquet);
      break;
    case Format::kImageFolder:
      read_shards(reader, config);
      read_extension(reader, config);
      config.members = Members::kImage;
      break;
    case Format::kParquet:
      read_table_rows(reader, config);
      config.with_dropped = reader.truth("dropped", config.with_dropped);
      break;
    case Format::kNpy:
      read_table_rows(reader, config);
      config.half = reader.choice<bool>("dtype", config.half, {{"float16", true}, {"float32", false}});
      config.order = Order::kPlan;
      break;
    case Format::kDataCompUids:
    case Format::kUrls:
      config.rows = kTableRows;
      config.bytes = UINT64_MAX;
      config.field = reader.text("field", config.format == Format::kUrls ? "url" : "");
      break;
  }
  return config;
}

}  // namespace

std::vector<ExportConfig> export_configs_from_yaml(const base::ConfigNode& node) {
  std::vector<ExportConfig> configs;
  std::map<std::filesystem::path, std::string> folders;
  for (const auto& [name, entry] : node.entries()) {
    configs.push_back(export_from_yaml(name, entry));
    const auto folder = std::filesystem::absolute(configs.back().folder).lexically_normal();
    const auto [other, is_new] = folders.emplace(folder, name);
    if (!is_new)
      entry.fail(fmt::format("the folder {} is that of \"{}\", too", folder.string(), other->second));
  }
  return configs;
}

}  // namespace quasar::exports
