#include "curation/duplicate_rule.h"

#include <algorithm>

#include "base/errors.h"
#include "base/file_status.h"
#include "corpus/plan_files.h"

namespace quasar::curation {
namespace {

bool is_auto(const base::ConfigNode& node) {
  return node.as<std::string>() == "auto";
}

}  // namespace

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
  if (node.has("cosine")) {
    const auto cosine = node.child("cosine");
    if (cosine.is_map()) {
      rule.cosine = true;
      // Below, everything is like everything, for many encoders.
      rule.least_cosine = cosine.get_in<double>("threshold", rule.least_cosine, 0.1, 1);
      if (cosine.has("clusters") && !is_auto(cosine.child("clusters")))
        rule.clusters = cosine.get_in<int>("clusters", rule.clusters, 1, 1 << 24);
      rule.cosine_rule = cosine.get_enum<CosineRule>(
          "rule", rule.cosine_rule, {{"greedy", CosineRule::kGreedy}, {"semdedup", CosineRule::kSemDeDup}});
      cosine.finish();
    } else {
      rule.cosine = cosine.as<bool>();
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
    node.fail("\"against\" needs exact, perceptual or cosine, by which rows of other sets are compared");
  for (const auto& set : rule.against) {
    if (std::filesystem::is_directory(set) && !std::filesystem::exists(corpus::plan_file(set)))
      node.child("against").fail(set.string() +
                                 " is a folder, but no run directory; name one, or a file of the lines that "
                                 "\"quasar hash\" prints of its pictures");
  }
  return rule;
}

void check_embeddings(const base::ConfigNode& node, const DuplicateRule& rule, bool made_by_mini) {
  if (!rule.cosine || !made_by_mini) return;
  node.child("cosine").fail(
      "cannot find copies by the embeddings of \"mini\", which say how good a picture is and not what it "
      "shows: "
      "distinct photos have a median cosine of 0.94 there, and a recompressed copy 0.96; use perceptual: "
      "true, or "
      "another encoder (docs/curation.md)");
}

void check_outside_encoder(const std::filesystem::path& shard, const base::EncoderIdentity& theirs,
                           const base::EncoderIdentity& ours) {
  if (theirs == ours) return;
  base::fail(base::ExitCode::kMismatch,
             shard.string() + " was embedded by another encoder (" + theirs.describe() + ") than this run (" +
                 ours.describe() +
                 "): cosines between them mean nothing; embed that set with this encoder, or take it out of "
                 "curation.duplicates.against");
}

std::string DuplicateRule::set_name(std::size_t set) const {
  const auto last = [](const std::filesystem::path& path) {
    return (path.has_filename() ? path : path.parent_path()).filename();
  };
  const auto& path = against.at(set);
  const bool shared =
      std::ranges::count_if(against, [&](const auto& other) { return last(other) == last(path); }) > 1;
  return (shared ? path : last(path)).string();
}

}  // namespace quasar::curation
