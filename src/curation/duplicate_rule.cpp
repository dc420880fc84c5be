#include "curation/duplicate_rule.h"

#include "base/file_status.h"

namespace quasar::curation {

DuplicateRule duplicate_rule_from_yaml(const base::ConfigNode& node) {
  DuplicateRule rule;
  if (node.is_null()) return rule;
  rule.exact = node.get<bool>("exact", rule.exact);
  if (node.has("perceptual")) {
    const auto perceptual = node.child("perceptual");
    if (perceptual.is_map()) {
      rule.perceptual = true;
      // Beyond, words that differ in few bits are too many to look at.
      rule.threshold = perceptual.get_in<int>("threshold", rule.threshold, 0, 63);
      rule.quality = perceptual.get_in<int>("quality", rule.quality, 0, 100);
      rule.poses = perceptual.get<int>("poses", rule.poses);
      if (rule.poses != 1 && rule.poses != 8)
        perceptual.child("poses").fail("must be 1 (pictures as they are) or 8 (turned and mirrored, too)");
      perceptual.finish();
    } else {
      rule.perceptual = perceptual.as<bool>();
    }
  }
  if (node.has("against")) {
    for (const auto& element : node.child("against").elements()) {
      rule.against.push_back(element.as<std::filesystem::path>());
      if (!std::filesystem::exists(
              base::file_status(rule.against.back(), element.where() + ": " + element.key())))
        element.fail("there is no " + rule.against.back().string());
    }
  }
  node.finish();
  if (rule.against.size() > kMostSets) node.child("against").fail("names more than 256 sets");
  for (const auto& set : rule.against) {
    if (!rule.perceptual && !std::filesystem::is_directory(set))
      node.child("against").fail(set.string() +
                                 " is no run directory, and a file of hashes needs perceptual: true");
  }
  if (!rule.against.empty() && !rule.any())
    node.fail("\"against\" needs exact: true or perceptual: true, by which rows are compared");
  return rule;
}

std::string DuplicateRule::set_name(std::size_t set) const {
  const auto& path = against.at(set);
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

}  // namespace quasar::curation
