#include "corpus/sources/source_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/file_status.h"
#include "corpus/path_text.h"
#include "corpus/sources/stamps.h"

namespace quasar::corpus {

std::filesystem::path absolute_path(const std::filesystem::path& path) {
  auto result = std::filesystem::absolute(path).lexically_normal();
  // "photos/" and "photos" are the same folder.
  if (!result.has_filename() && result.has_relative_path()) result = result.parent_path();
  return result;
}

std::filesystem::path source_path(const base::ConfigNode& node, PathKind kind, SourcePresence presence) {
  auto path = absolute_path(node.as<std::filesystem::path>());
  if (presence == SourcePresence::kAny) return path;
  const bool folder = kind == PathKind::kFolder;
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
    source.suffixes.push_back(lower_case(std::move(suffix)));
  }
  if (source.suffixes.empty()) node.child("suffixes").fail("at least one suffix is needed");
}

void read_extensions(const base::ConfigNode& node, const char* key, std::vector<std::string>& extensions) {
  if (!node.has(key)) return;
  extensions.clear();
  for (const auto& element : node.child(key).elements()) {
    auto extension = lower_case(element.as<std::string>());
    if (!extension.empty() && extension.front() == '.') extension.erase(0, 1);
    if (extension.empty() || extension.find('/') != std::string::npos)
      element.fail("an extension is what follows the first dot of a member's name, such as jpg or input.jpg");
    extensions.push_back(std::move(extension));
  }
  if (extensions.empty()) node.child(key).fail("at least one extension is needed");
}

void read_columns(const base::ConfigNode& node, SourceConfig& source) {
  source.label_column = node.get<std::string>("label_column", "");
  source.deviation_column = node.get<std::string>("deviation_column", "");
  source.group_column = node.get<std::string>("group_column", "");
  source.split_column = node.get<std::string>("split_column", "");
  for (const auto& element : node.child("fields").elements()) {
    auto name = element.as<std::string>();
    if (std::find(source.fields.begin(), source.fields.end(), name) != source.fields.end()) {
      element.fail("the field \"" + name + "\" stands twice");
    }
    source.fields.push_back(std::move(name));
  }
}

void read_root(const base::ConfigNode& node, SourcePresence presence, SourceConfig& source) {
  source.root = node.has("root") ? source_path(node.child("root"), PathKind::kFolder, presence)
                                 : source.path.parent_path();
}

SourceText::SourceText(const SourceConfig& source, std::string_view kind) : source_(source) {
  text_["kind"] = kind;
}

void SourceText::put(const char* key, const std::string& value) {
  if (!value.empty()) text_[key] = escaped_text(value);
}

SourceText& SourceText::path() {
  text_["path"] = path_to_text(source_.path);
  return *this;
}

SourceText& SourceText::patterns() {
  auto& patterns = text_["tar"] = nlohmann::ordered_json::array();
  for (const auto& pattern : source_.patterns) patterns.push_back(path_to_text(pattern));
  return *this;
}

SourceText& SourceText::name() {
  put("name", source_.name);
  return *this;
}

SourceText& SourceText::path_column() {
  put("path_column", source_.path_column);
  put("id_column", source_.id_column);
  return *this;
}

SourceText& SourceText::columns() {
  put("label_column", source_.label_column);
  put("group_column", source_.group_column);
  put("deviation_column", source_.deviation_column);
  put("split_column", source_.split_column);
  return *this;
}

SourceText& SourceText::root() {
  if (!source_.root.empty()) text_["root"] = path_to_text(source_.root);
  return *this;
}

SourceText& SourceText::fields() {
  for (const auto& field : source_.fields) text_["fields"].push_back(escaped_text(field));
  return *this;
}

SourceText& SourceText::suffixes() {
  if (source_.suffixes == default_suffixes()) return *this;
  for (const auto& suffix : source_.suffixes) text_["suffixes"].push_back(escaped_text(suffix));
  return *this;
}

SourceText& SourceText::extensions() {
  for (const auto& extension : source_.image_extensions)
    text_["image_extensions"].push_back(escaped_text(extension));
  for (const auto& extension : source_.caption_extensions)
    text_["caption"].push_back(escaped_text(extension));
  return *this;
}

SourceText& SourceText::follow_links() {
  if (source_.follow_links) text_["follow_links"] = true;
  return *this;
}

SourceText& SourceText::separator() {
  if (source_.separator != '\0') text_["separator"] = std::string(1, source_.separator);
  return *this;
}

SourceText& SourceText::repeated() {
  if (source_.repeated == Repeated::kFirst) text_["repeated"] = "first";
  if (source_.repeated == Repeated::kRows) text_["repeated"] = "rows";
  return *this;
}

SourceText& SourceText::benchmark() {
  put("benchmark", source_.benchmark);
  put("split", source_.split);
  put("variant", source_.variant);
  if (source_.references) text_["references"] = true;
  return *this;
}

std::string file_state(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return "";
  Stamps stamps;
  stamps.add(path);
  nlohmann::json state = {{"file", path_to_text(path)}, {"sha256", base::sha256_file(path)}};
  stamps.put_into(state);
  return state.dump();
}

std::string describe_file_change(const std::string& before, const std::string& now) {
  const auto old_state = nlohmann::json::parse(before, nullptr, false);
  const auto new_state = nlohmann::json::parse(now, nullptr, false);
  if (!old_state.is_object() || !new_state.is_object()) return kOtherKind;
  return "its content has changed";
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::string no_number(const char* what) {
  return std::string(what) + "s that are no finite number";
}

bool has_suffix(std::string_view name, const std::vector<std::string>& suffixes) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::any_of(suffixes.begin(), suffixes.end(), [&](const std::string& suffix) {
    return name.size() > suffix.size() &&
           std::equal(suffix.begin(), suffix.end(), name.end() - static_cast<std::ptrdiff_t>(suffix.size()),
                      [&](char a, char b) { return a == lower(b); });
  });
}

std::optional<double> parse_number(std::string_view text, const char* what) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.empty()) return std::nullopt;
  const std::string_view whole = text;
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    throw std::invalid_argument("the " + std::string(what) + " \"" + escaped_text(whole.substr(0, 80)) +
                                "\" is no finite number; leave it empty where there is none");
  }
  return value;
}

}  // namespace quasar::corpus
