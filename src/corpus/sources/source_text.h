// Owns what the kinds of sources share: reading their common keys, the canonical text of a source, names and
// numbers in what they hold.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_node.h"
#include "corpus/corpus_config.h"

namespace quasar::corpus {

/// Absolute, without "." and "..", and without a slash at its end.
std::filesystem::path absolute_path(const std::filesystem::path& path);
enum class PathKind { kFile, kFolder };
/// The path that a key names. Throws Error(kConfig) when it has to be there and is not.
std::filesystem::path source_path(const base::ConfigNode& node, PathKind kind, SourcePresence presence);
/// Keys of several kinds.
void read_suffixes(const base::ConfigNode& node, SourceConfig& source);
/// What follows the first dot of a member's name; a leading dot is dropped, and case.
void read_extensions(const base::ConfigNode& node, const char* key, std::vector<std::string>& extensions);
void read_columns(const base::ConfigNode& node, SourceConfig& source);
void read_root(const base::ConfigNode& node, SourcePresence presence, SourceConfig& source);

/// The canonical text of a source, put together in the order of the calls; what has its default is left away,
/// so that a key that a version adds changes no text of before.
class SourceText {
 public:
  SourceText(const SourceConfig& source, std::string_view kind);
  SourceText& path();
  SourceText& patterns();
  SourceText& name();
  SourceText& path_column();
  SourceText& columns();
  SourceText& root();
  SourceText& fields();
  SourceText& suffixes();
  SourceText& extensions();
  SourceText& follow_links();
  SourceText& separator();
  SourceText& repeated();
  SourceText& benchmark();
  std::string text() const { return text_.dump(); }

 private:
  void put(const char* key, const std::string& value);

  const SourceConfig& source_;
  nlohmann::ordered_json text_;
};

/// State of a file by its content, as JSON; empty when it is gone.
std::string file_state(const std::filesystem::path& path);
/// How two states of a file differ, for a message.
std::string describe_file_change(const std::string& before, const std::string& now);
/// Said of states that have nothing in common.
inline constexpr const char* kOtherKind = "it is of another kind";

std::string lower_case(std::string text);
/// Whether a name ends in one of the suffixes, whatever its case.
bool has_suffix(std::string_view name, const std::vector<std::string>& suffixes);
/// A number such as a label; empty text is none. Throws std::invalid_argument with a message when it is no
/// finite number; `what` it is.
std::optional<double> parse_number(std::string_view text, const char* what);
/// The reason under which values are counted that JSON and tables hold in the place of numbers.
inline constexpr const char* kNotFinite = "values that are no numbers (NaN, Infinity)";
/// The reason under which rows that lost such a number are counted.
std::string no_number(const char* what);

}  // namespace quasar::corpus
