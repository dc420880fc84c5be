// Owns reading of YAML configuration with errors a user can act on: file, line, column, key, and what would
// be right. A module's `from_yaml(ConfigNode)` reads its keys and calls finish(), which refuses keys nobody
// asked for.
//
//   DecodeConfig from_yaml(base::ConfigNode node) {
//     DecodeConfig config;
//     config.max_pixels = node.get_in<std::int64_t>("max_pixels", config.max_pixels, 1, kMaxPixels);
//     node.finish();
//     return config;
//   }
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/errors.h"

namespace quasar::base {

/// A scalar, map or sequence of a parsed configuration, with its place in the file and its dotted key
/// ("decode.max_pixels"). A cheap handle: copies refer to the same node and share the record of keys read.
class ConfigNode {
 public:
  /// Parses a file, found as resolve_input_file() finds it. `overrides` are "a.b=c" assignments (--set),
  /// whose values are parsed as YAML; a key that does not exist yet is created. Throws Error(kConfig) with
  /// place and reason for syntax errors, duplicate keys, several documents, aliases that expand without
  /// bound, nesting over 64 levels or a file over 16 MiB; Error(kInput) when missing.
  static ConfigNode parse_file(const std::filesystem::path& path,
                               const std::vector<std::string>& overrides = {});
  /// The same from text; `name` stands for the file in messages.
  static ConfigNode parse_text(const std::string& text, const std::string& name,
                               const std::vector<std::string>& overrides = {});

  /// Whether this map holds the key with a value other than null. Marks the key as known.
  bool has(std::string_view key) const;
  /// The value under a key of this map; a null node (is_null()) when absent. Throws Error(kConfig) if this is
  /// no map.
  ConfigNode child(std::string_view key) const;

  bool is_null() const;
  bool is_map() const;
  bool is_sequence() const;
  bool is_scalar() const;

  /// Elements of a sequence. A scalar counts as a sequence of one; null as none. Throws Error(kConfig) for a
  /// map.
  std::vector<ConfigNode> elements() const;
  /// Keys and values of a map in file order, all marked as known. Null counts as an empty map.
  std::vector<std::pair<std::string, ConfigNode>> entries() const;

  /// This scalar as T: bool, std::int64_t, int, double, std::string or std::filesystem::path (relative paths
  /// are taken as relative to the working directory). Integers accept the suffixes KiB, MiB, GiB; no silent
  /// rounding. Throws Error(kConfig) when it is no such thing.
  template <typename T>
  T as() const;

  /// The value under `key`, or `fallback` when absent.
  template <typename T>
  T get(std::string_view key, const T& fallback) const {
    return has(key) ? child(key).template as<T>() : fallback;
  }
  /// The value under `key`, refused unless low <= value <= high.
  template <typename T>
  T get_in(std::string_view key, const T& fallback, const T& low, const T& high) const {
    if (!has(key)) return fallback;
    const ConfigNode node = child(key);
    const T value = node.template as<T>();
    if (!(value >= low && value <= high)) node.fail_range(to_text(low), to_text(high));
    return value;
  }
  /// The value under `key`; Error(kConfig) naming the key when absent.
  template <typename T>
  T require(std::string_view key) const {
    if (!has(key)) fail_missing(key);
    return child(key).template as<T>();
  }
  /// One of `names`, as its value. The error lists the valid names and the nearest to a typo.
  template <typename E>
  E get_enum(std::string_view key, E fallback,
             const std::vector<std::pair<std::string_view, E>>& names) const {
    if (!has(key)) return fallback;
    std::vector<std::string_view> valid;
    valid.reserve(names.size());
    for (const auto& [name, value] : names) valid.push_back(name);
    return names[child(key).choose(valid)].second;
  }

  /// Throws Error(kConfig) for the first key of this map (and of maps below that were read) that was never
  /// asked for, with the nearest known key.
  void finish() const;

  /// Throws Error(kConfig) "FILE:LINE:COLUMN: KEY: message".
  [[noreturn]] void fail(const std::string& message) const;

  /// Dotted key of this node, "" at the root.
  const std::string& key() const { return key_; }
  /// "FILE:LINE:COLUMN" of this node.
  std::string where() const;
  /// The configuration with overrides applied, as YAML text that parses back to the same. Root only.
  std::string dump() const;

 private:
  struct Document;
  struct Tree;
  ConfigNode(std::shared_ptr<Document> document, std::shared_ptr<Tree> tree, std::string key);

  std::size_t choose(const std::vector<std::string_view>& valid) const;
  [[noreturn]] void fail_range(const std::string& low, const std::string& high) const;
  [[noreturn]] void fail_missing(std::string_view key) const;
  template <typename T>
  static std::string to_text(const T& value) {
    std::string text = std::to_string(value);
    if (text.find('.') != std::string::npos) {
      text.erase(text.find_last_not_of('0') + 1);
      if (text.back() == '.') text.pop_back();
    }
    return text;
  }

  std::shared_ptr<Document> document_;
  std::shared_ptr<Tree> tree_;
  std::string key_;
};

template <>
bool ConfigNode::as<bool>() const;
template <>
std::int64_t ConfigNode::as<std::int64_t>() const;
template <>
int ConfigNode::as<int>() const;
template <>
double ConfigNode::as<double>() const;
template <>
std::string ConfigNode::as<std::string>() const;
template <>
std::filesystem::path ConfigNode::as<std::filesystem::path>() const;

}  // namespace quasar::base
