#include "base/config_node.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "base/atomic_file.h"
#include "base/file_status.h"
#include "base/nearest_word.h"
#include "base/shipped_file.h"

namespace quasar::base {

/// Our own tree, because yaml-cpp's nodes lose their place when changed and create keys when asked for.
struct ConfigNode::Tree {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  std::string scalar;
  bool quoted = false;
  std::vector<std::shared_ptr<Tree>> elements;
  std::vector<std::pair<std::string, std::shared_ptr<Tree>>> entries;
  int line = 0;
  int column = 0;
  std::string origin;  ///< Empty for the file, "--set a.b=c" for an override.
  std::set<std::string, std::less<>> known;
  bool visited = false;

  std::shared_ptr<Tree> find(std::string_view key) const {
    for (const auto& [name, value] : entries) {
      if (name == key) return value;
    }
    return nullptr;
  }
};

struct ConfigNode::Document {
  std::string name;
};

namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20U;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 1'000'000;

[[noreturn]] void fail_at(const std::string& name, int line, int column, const std::string& message) {
  fail(ExitCode::kConfig, name + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + message);
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

template <typename Tree>
class Converter {
 public:
  Converter(std::string name, std::string origin) : name_(std::move(name)), origin_(std::move(origin)) {}

  std::shared_ptr<Tree> convert(const YAML::Node& node, int depth) {
    auto tree = std::make_shared<Tree>();
    tree->line = node.Mark().line + 1;
    tree->column = node.Mark().column + 1;
    tree->origin = origin_;
    if (depth > kMaxDepth) fail_at(name_, tree->line, tree->column, "nested more than 64 levels deep");
    if (++nodes_ > kMaxNodes)
      fail_at(name_, tree->line, tree->column, "more than a million values (aliases expanded)");
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        break;
      case YAML::NodeType::Scalar:
        tree->kind = Tree::Kind::kScalar;
        tree->scalar = node.Scalar();
        tree->quoted = node.Tag() == "!";
        break;
      case YAML::NodeType::Sequence:
        tree->kind = Tree::Kind::kSequence;
        for (const auto& element : node) tree->elements.push_back(convert(element, depth + 1));
        break;
      case YAML::NodeType::Map:
        tree->kind = Tree::Kind::kMap;
        for (const auto& entry : node) {
          if (!entry.first.IsScalar()) fail_at(name_, tree->line, tree->column, "a key must be a plain word");
          const std::string& key = entry.first.Scalar();
          if (tree->find(key) != nullptr) {
            fail_at(name_, entry.first.Mark().line + 1, entry.first.Mark().column + 1,
                    "the key \"" + key + "\" stands twice in this map; keep one");
          }
          tree->entries.emplace_back(key, convert(entry.second, depth + 1));
          tree->entries.back().second->line = entry.first.Mark().line + 1;
          tree->entries.back().second->column = entry.first.Mark().column + 1;
        }
        break;
    }
    return tree;
  }

 private:
  std::string name_;
  std::string origin_;
  std::size_t nodes_ = 0;
};

YAML::Node load_yaml(const std::string& text, const std::string& name) {
  // yaml-cpp recurses per level; refuse absurd nesting before it can exhaust the stack.
  int open = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++open;
    if (c == ']' || c == '}') --open;
    if (open > 4 * kMaxDepth)
      fail(ExitCode::kConfig, name + ": brackets nested too deep to be a configuration");
  }
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(text);
  } catch (const YAML::Exception& error) {
    fail_at(name, error.mark.line + 1, error.mark.column + 1, "not valid YAML: " + error.msg);
  }
  for (std::size_t i = 1; i < documents.size(); ++i) {
    // An empty one, after a "---" at the end, leaves nothing out.
    if (documents[i].IsNull()) continue;
    fail_at(
        name, documents[i].Mark().line + 1, documents[i].Mark().column + 1,
        "a second document begins here, after a line \"---\"; a configuration is one document: remove that "
        "line, or what follows it");
  }
  return documents.empty() ? YAML::Node() : documents.front();
}

template <typename Tree>
void apply_override(const std::shared_ptr<Tree>& root, const std::string& assignment) {
  const auto equals = assignment.find('=');
  const std::string name = "--set " + assignment;
  if (equals == std::string::npos || equals == 0) {
    fail(ExitCode::kUsage, name + ": expected KEY=VALUE, for example --set decode.mode=fast");
  }
  auto value = Converter<Tree>(name, name).convert(load_yaml(assignment.substr(equals + 1), name), 0);
  std::shared_ptr<Tree> node = root;
  std::string key = assignment.substr(0, equals);
  while (true) {
    const auto dot = key.find('.');
    const std::string head = key.substr(0, dot);
    if (head.empty()) fail(ExitCode::kUsage, name + ": empty part in the key");
    if (node->kind == Tree::Kind::kNull) node->kind = Tree::Kind::kMap;
    if (node->kind != Tree::Kind::kMap) {
      fail(ExitCode::kUsage, name + ": the part before \"" + head + "\" is no map in the configuration");
    }
    auto found = std::find_if(node->entries.begin(), node->entries.end(),
                              [&](const auto& entry) { return entry.first == head; });
    if (dot == std::string::npos) {
      if (found == node->entries.end()) {
        node->entries.emplace_back(head, value);
      } else {
        found->second = value;
      }
      return;
    }
    if (found == node->entries.end()) {
      auto fresh = std::make_shared<Tree>();
      fresh->kind = Tree::Kind::kMap;
      fresh->origin = name;
      node->entries.emplace_back(head, fresh);
      node = fresh;
    } else {
      node = found->second;
    }
    key.erase(0, dot + 1);
  }
}

}  // namespace

ConfigNode::ConfigNode(std::shared_ptr<Document> document, std::shared_ptr<Tree> tree, std::string key)
    : document_(std::move(document)), tree_(std::move(tree)), key_(std::move(key)) {}

ConfigNode ConfigNode::parse_file(const std::filesystem::path& path,
                                  const std::vector<std::string>& overrides) {
  const auto file = resolve_input_file(path);
  const auto status = file_status(file);
  if (!std::filesystem::exists(status)) {
    base::fail(ExitCode::kInput,
               "there is no configuration file " + path.string() +
                   "; presets to copy from are in the folder configs/ that comes with Quasar");
  }
  if (std::filesystem::is_directory(status))
    base::fail(ExitCode::kInput, file.string() + " is a directory; a configuration is a YAML file");
  if (!std::filesystem::is_regular_file(status))
    base::fail(ExitCode::kInput, file.string() + " is no regular file; a configuration is a YAML file");
  return parse_text(read_file(file, kMaxConfigBytes), file.string(), overrides);
}

ConfigNode ConfigNode::parse_text(const std::string& text, const std::string& name,
                                  const std::vector<std::string>& overrides) {
  auto document = std::make_shared<Document>();
  document->name = name;
  auto root = Converter<Tree>(name, "").convert(load_yaml(text, name), 0);
  if (root->kind == Tree::Kind::kNull) root->kind = Tree::Kind::kMap;
  if (root->kind != Tree::Kind::kMap) {
    base::fail(ExitCode::kConfig, name + ": a configuration is a map of keys, such as \"corpus:\"");
  }
  for (const auto& assignment : overrides) apply_override(root, assignment);
  return {document, root, ""};
}

bool ConfigNode::has(std::string_view key) const {
  if (tree_->kind != Tree::Kind::kMap && tree_->kind != Tree::Kind::kNull)
    fail("expected a map of keys here");
  tree_->known.emplace(key);
  tree_->visited = true;
  const auto found = tree_->find(key);
  return found != nullptr && found->kind != Tree::Kind::kNull;
}

ConfigNode ConfigNode::child(std::string_view key) const {
  has(key);
  auto found = tree_->find(key);
  if (found == nullptr) {
    found = std::make_shared<Tree>();
    found->line = tree_->line;
    found->column = tree_->column;
    found->origin = tree_->origin;
  }
  return {document_, found, key_.empty() ? std::string(key) : key_ + "." + std::string(key)};
}

bool ConfigNode::is_null() const {
  return tree_->kind == Tree::Kind::kNull;
}
bool ConfigNode::is_map() const {
  return tree_->kind == Tree::Kind::kMap;
}
bool ConfigNode::is_sequence() const {
  return tree_->kind == Tree::Kind::kSequence;
}
bool ConfigNode::is_scalar() const {
  return tree_->kind == Tree::Kind::kScalar;
}

std::vector<ConfigNode> ConfigNode::elements() const {
  if (is_map()) fail("expected a list here");
  if (is_scalar()) return {*this};
  std::vector<ConfigNode> nodes;
  for (std::size_t i = 0; i < tree_->elements.size(); ++i) {
    nodes.push_back(ConfigNode(document_, tree_->elements[i], key_ + "[" + std::to_string(i) + "]"));
  }
  return nodes;
}

std::vector<std::pair<std::string, ConfigNode>> ConfigNode::entries() const {
  if (!is_map() && !is_null()) fail("expected a map of keys here");
  std::vector<std::pair<std::string, ConfigNode>> nodes;
  for (const auto& [name, value] : tree_->entries) nodes.emplace_back(name, child(name));
  return nodes;
}

template <>
std::string ConfigNode::as<std::string>() const {
  if (!is_scalar()) fail("expected a text");
  return tree_->scalar;
}

template <>
std::filesystem::path ConfigNode::as<std::filesystem::path>() const {
  const auto text = as<std::string>();
  if (text.empty()) fail("expected a path, not an empty text");
  return text;
}

template <>
bool ConfigNode::as<bool>() const {
  if (is_scalar() && !tree_->quoted) {
    if (tree_->scalar == "true") return true;
    if (tree_->scalar == "false") return false;
  }
  fail("expected true or false" + (is_scalar() ? ", not \"" + tree_->scalar + "\"" : std::string()));
}

template <>
std::int64_t ConfigNode::as<std::int64_t>() const {
  // A number and a word is meant as a size ("100MB", "1.5GiB").
  const bool sized = is_scalar() && tree_->scalar.find_first_of("0123456789") == 0 &&
                     std::isalpha(static_cast<unsigned char>(tree_->scalar.back())) != 0;
  const std::string wrong = std::string("expected a whole number") +
                            (sized ? ", alone or with KiB, MiB or GiB (\"100MiB\")" : "") +
                            (is_scalar() ? ", not \"" + tree_->scalar + "\"" : "");
  if (!is_scalar() || tree_->quoted) fail(wrong);
  std::string_view text = tree_->scalar;
  std::int64_t factor = 1;
  constexpr std::pair<std::string_view, std::int64_t> kSuffixes[] = {
      {"KiB", 1LL << 10U}, {"MiB", 1LL << 20U}, {"GiB", 1LL << 30U}};
  for (const auto& [suffix, value] : kSuffixes) {
    if (text.size() > suffix.size() && text.substr(text.size() - suffix.size()) == suffix) {
      factor = value;
      text.remove_suffix(suffix.size());
      while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
      break;
    }
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::int64_t product = 0;
  if (error != std::errc() || end != text.data() + text.size() ||
      __builtin_mul_overflow(value, factor, &product)) {
    fail(wrong);
  }
  return product;
}

template <>
int ConfigNode::as<int>() const {
  const auto value = as<std::int64_t>();
  if (value < INT32_MIN || value > INT32_MAX) fail("the number " + tree_->scalar + " is too large");
  return static_cast<int>(value);
}

template <>
double ConfigNode::as<double>() const {
  const std::string wrong =
      "expected a number" + (is_scalar() ? ", not \"" + tree_->scalar + "\"" : std::string());
  if (!is_scalar() || tree_->quoted) fail(wrong);
  const std::string& text = tree_->scalar;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) fail(wrong);
  return value;
}

std::size_t ConfigNode::choose(const std::vector<std::string_view>& valid) const {
  const auto text = as<std::string>();
  const auto found = std::find(valid.begin(), valid.end(), text);
  if (found != valid.end()) return static_cast<std::size_t>(found - valid.begin());
  const std::vector<std::string> words(valid.begin(), valid.end());
  fail("\"" + text + "\" is not one of: " + join(words) + did_you_mean(text, words));
}

void ConfigNode::finish() const {
  if (!is_map()) return;
  for (const auto& [name, value] : tree_->entries) {
    const ConfigNode node(document_, value, key_.empty() ? name : key_ + "." + name);
    if (tree_->known.find(name) == tree_->known.end()) {
      const std::vector<std::string> known(tree_->known.begin(), tree_->known.end());
      node.fail("unknown key" + did_you_mean(name, known, "; known here: " + join(known)));
    }
    if (value->visited) node.finish();
  }
}

std::string ConfigNode::where() const {
  if (!tree_->origin.empty()) return tree_->origin;
  return document_->name + ":" + std::to_string(tree_->line) + ":" + std::to_string(tree_->column);
}

void ConfigNode::fail(const std::string& message) const {
  base::fail(ExitCode::kConfig, where() + ": " + (key_.empty() ? "" : key_ + ": ") + message);
}

void ConfigNode::fail_range(const std::string& low, const std::string& high) const {
  fail("the value " + tree_->scalar + " is out of range; it must lie between " + low + " and " + high);
}

void ConfigNode::fail_missing(std::string_view key) const {
  const std::string full = key_.empty() ? std::string(key) : key_ + "." + std::string(key);
  base::fail(ExitCode::kConfig, where() + ": the key \"" + full + "\" is missing");
}

namespace {

template <typename Tree>
void emit(YAML::Emitter& out, const Tree& tree) {
  switch (tree.kind) {
    case Tree::Kind::kNull:
      out << YAML::Null;
      break;
    case Tree::Kind::kScalar:
      if (tree.quoted) out << YAML::DoubleQuoted;
      out << tree.scalar;
      break;
    case Tree::Kind::kSequence:
      out << YAML::BeginSeq;
      for (const auto& element : tree.elements) emit(out, *element);
      out << YAML::EndSeq;
      break;
    case Tree::Kind::kMap:
      out << YAML::BeginMap;
      for (const auto& [key, value] : tree.entries) {
        out << YAML::Key << key << YAML::Value;
        emit(out, *value);
      }
      out << YAML::EndMap;
      break;
  }
}

}  // namespace

std::string ConfigNode::dump() const {
  YAML::Emitter out;
  emit(out, *tree_);
  return std::string(out.c_str()) + "\n";
}

}  // namespace quasar::base
