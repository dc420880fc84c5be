#include "curation/column_name.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/config_node.h"
#include "base/nearest_word.h"
#include "base/utf8.h"
#include "curation/column.h"
#include "curation/curation_config.h"

namespace quasar::curation {
namespace {

/// Names that columns had or may get, beside those of every manifest.
constexpr std::array<std::string_view, 6> kReserved = {
    kCombinedColumn, kOutOfDistributionColumn, "group", "duplicate_of", "distance", "group_size"};

/// Of ASCII, or one of U+0080 to U+009F.
bool has_control_character(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < name.size() && static_cast<unsigned char>(name[i + 1]) < 0xA0) return true;
  }
  return false;
}

}  // namespace

std::string fault_of_name(const std::string& name) {
  // Names that would spoil the message are not repeated in it.
  if (!base::is_utf8(name)) return "the name of an anchor set is not UTF-8";
  if (has_control_character(name))
    return "the name of an anchor set contains a line break or another control character";
  if (name.size() > kMaxNameBytes) {
    return "the name of an anchor set is " + std::to_string(name.size()) + " bytes long; " +
           std::to_string(kMaxNameBytes) + " are allowed";
  }
  const std::string begin = "an anchor set cannot be named '" + name + "': ";
  if (name.empty()) return begin + "a column and a file are named after it";
  if (is_own_column(name) || is_cluster_column(name) || std::ranges::find(kReserved, name) != kReserved.end())
    return begin + "the manifest has a column of that name already";
  if (name.find('/') != std::string::npos) return begin + "a file is named after it, so that it holds no '/'";
  if (name.front() == '.') return begin + "a file is named after it, so that it does not begin with a dot";
  if (name.ends_with(".h5")) {
    return begin + "its folder would have the name of the file of '" + name.substr(0, name.size() - 3) + "'";
  }
  return "";
}

std::string unknown_column(const std::string& name, const std::vector<std::string>& sets) {
  if (sets.empty()) return "there is no anchor set '" + name + "': the section anchors is empty";
  auto candidates = sets;
  candidates.emplace_back(kCombinedColumn);
  const auto near = base::nearest_word(name, candidates);
  std::string listed;
  for (const auto& set : sets) listed += set + ", ";
  return "there is no anchor set '" + name + "'; there are " + listed + "and " + kCombinedColumn +
         (near ? "; did you mean '" + *near + "'?" : "");
}

}  // namespace quasar::curation
