#include "corpus/corpus_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/errors.h"
#include "base/file_status.h"
#include "corpus/path_text.h"

namespace quasar::corpus {
namespace {

constexpr int kMaxShardSize = 1'000'000;

std::filesystem::path absolute_path(const std::filesystem::path& path) {
  auto result = std::filesystem::absolute(path).lexically_normal();
  // "photos/" and "photos" are the same folder.
  if (!result.has_filename() && result.has_relative_path()) result = result.parent_path();
  return result;
}

std::filesystem::path source_path(const base::ConfigNode& node, bool folder, SourcePresence presence) {
  auto path = absolute_path(node.as<std::filesystem::path>());
  if (presence == SourcePresence::kAny) return path;
  const auto status = base::file_status(path, node.where() + ": " + node.key());
  if (!std::filesystem::exists(status)) {
    node.fail("there is no " + std::string(folder ? "folder " : "file ") + path.string());
  }
  if (folder && !std::filesystem::is_directory(status)) node.fail(path.string() + " is not a folder");
  if (!folder && !std::filesystem::is_regular_file(status)) node.fail(path.string() + " is not a file");
  return path;
}

void read_suffixes(const base::ConfigNode& node, SourceConfig& source) {
  if (!node.has("suffixes")) return;
  source.suffixes.clear();
  for (const auto& element : node.child("suffixes").elements()) {
    auto suffix = element.as<std::string>();
    if (suffix.size() < 2 || suffix.front() != '.' || suffix.find('/') != std::string::npos) {
      element.fail("a suffix begins with a dot (\".jpg\"), not \"" + suffix + "\"");
    }
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    source.suffixes.push_back(std::move(suffix));
  }
  if (source.suffixes.empty()) node.child("suffixes").fail("at least one suffix is needed");
}

void read_columns(const base::ConfigNode& node, SourceConfig& source) {
  source.label_column = node.get<std::string>("label_column", "");
  source.group_column = node.get<std::string>("group_column", "");
  for (const auto& element : node.child("fields").elements()) {
    auto name = element.as<std::string>();
    if (std::find(source.fields.begin(), source.fields.end(), name) != source.fields.end()) {
      element.fail("the field \"" + name + "\" stands twice");
    }
    source.fields.push_back(std::move(name));
  }
}

void read_root(const base::ConfigNode& node, SourcePresence presence, SourceConfig& source) {
  source.root =
      node.has("root") ? source_path(node.child("root"), true, presence) : source.path.parent_path();
}

SourceConfig source_from_yaml(const base::ConfigNode& node, SourcePresence presence) {
  SourceConfig source;
  const std::pair<std::string_view, SourceKind> kinds[] = {{"directory", SourceKind::kDirectory},
                                                           {"list", SourceKind::kList},
                                                           {"table", SourceKind::kTable},
                                                           {"tar", SourceKind::kTar}};
  int given = 0;
  std::string_view key;
  for (const auto& [name, kind] : kinds) {
    if (!node.has(name)) continue;
    ++given;
    key = name;
    source.kind = kind;
  }
  if (given == 0) {
    // A misspelt key is the likelier cause than a missing one.
    node.finish();
  }
  if (given > 1) {
    node.fail(
        "more than one of \"directory\", \"list\", \"table\" and \"tar\" is given; to put one in the place "
        "of "
        "a configuration's, replace the section: --set 'corpus={list: FILE}'; to take several together, "
        "list them under \"sources\"");
  }
  if (given != 1)
    node.fail("give one of \"directory\", \"list\", \"table\" and \"tar\" per source (or \"sources\")");
  const auto place = node.child(key);
  source.name = node.get<std::string>("name", "");
  switch (source.kind) {
    case SourceKind::kDirectory:
      source.path = source_path(place, true, presence);
      read_suffixes(node, source);
      break;
    case SourceKind::kList:
      source.path = source_path(place, false, presence);
      read_root(node, presence, source);
      break;
    case SourceKind::kTable:
      source.path = source_path(place, false, presence);
      read_root(node, presence, source);
      source.path_column = node.get<std::string>("path_column", source.path_column);
      source.id_column = node.get<std::string>("id_column", "");
      read_columns(node, source);
      break;
    case SourceKind::kTar:
      for (const auto& element : place.elements()) {
        source.patterns.push_back(absolute_path(element.as<std::filesystem::path>()).native());
      }
      if (source.patterns.empty()) place.fail("at least one tar or pattern is needed");
      if (presence == SourcePresence::kRequired) {
        try {
          expand_tars(source.patterns);
        } catch (const base::Error& error) {
          place.fail(error.what());
        }
      }
      read_suffixes(node, source);
      read_columns(node, source);
      break;
    case SourceKind::kItems:
      break;
  }
  return source;
}

}  // namespace

std::string_view kind_name(SourceKind kind) {
  switch (kind) {
    case SourceKind::kDirectory:
      return "directory";
    case SourceKind::kList:
      return "list";
    case SourceKind::kTable:
      return "table";
    case SourceKind::kTar:
      return "tar";
    case SourceKind::kItems:
      return "items";
  }
  return "";
}

const std::vector<std::string>& default_suffixes() {
  static const std::vector<std::string> suffixes = {".jpg", ".jpeg", ".jpe", ".jfif", ".png",  ".webp",
                                                    ".tif", ".tiff", ".gif", ".heic", ".heif", ".avif"};
  return suffixes;
}

CorpusConfig corpus_config_from_yaml(const base::ConfigNode& node, SourcePresence presence) {
  CorpusConfig config;
  if (!node.is_map()) node.fail("the images are described by a map, such as {directory: photos}");
  config.shard_size = node.get_in<int>("shard_size", config.shard_size, 1, kMaxShardSize);
  if (node.has("sources")) {
    for (const auto& element : node.child("sources").elements()) {
      if (!element.is_map()) element.fail("a source is a map, such as {directory: photos}");
      config.sources.push_back(source_from_yaml(element, presence));
      element.finish();
    }
    if (config.sources.empty()) node.child("sources").fail("at least one source is needed");
  } else {
    config.sources.push_back(source_from_yaml(node, presence));
  }
  node.finish();
  for (std::size_t i = 0; i < config.sources.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (describe(config.sources[i]) == describe(config.sources[j])) {
        node.child("sources").elements()[i].fail("this source is in the list already");
      }
    }
  }
  return config;
}

std::string describe(const SourceConfig& source) {
  nlohmann::ordered_json text;
  text["kind"] = kind_name(source.kind);
  if (source.kind == SourceKind::kTar) {
    auto& patterns = text["tar"] = nlohmann::ordered_json::array();
    for (const auto& pattern : source.patterns) patterns.push_back(path_to_text(pattern));
  } else {
    text["path"] = path_to_text(source.path);
  }
  const auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) text[key] = clean_text(value);
  };
  put("name", source.name);
  if (source.kind == SourceKind::kTable) put("path_column", source.path_column);
  put("id_column", source.id_column);
  put("label_column", source.label_column);
  put("group_column", source.group_column);
  if (!source.root.empty()) text["root"] = path_to_text(source.root);
  for (const auto& field : source.fields) text["fields"].push_back(clean_text(field));
  if (source.kind == SourceKind::kDirectory || source.kind == SourceKind::kTar) {
    if (source.suffixes != default_suffixes()) {
      for (const auto& suffix : source.suffixes) text["suffixes"].push_back(clean_text(suffix));
    }
  }
  return text.dump();
}

}  // namespace quasar::corpus
