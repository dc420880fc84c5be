#include "study/study_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/errors.h"
#include "base/nearest_word.h"

namespace quasar::study {
namespace {

constexpr std::size_t kMostCells = 100'000;
constexpr int kMostDraws = 10'000;
/// The one anchor set of a cell.
const std::string kSet = "study";

struct Level {
  std::string name;
  std::vector<std::string> assignments;  ///< KEY=VALUE, as --set takes them.
};

/// Sections of a run's configuration that cells may set.
const std::vector<std::string>& sections() {
  static const std::vector<std::string> names = {"anchors", "corpus",  "decode",
                                                 "embed",   "encoder", "rated_copies"};
  return names;
}

std::string without_line_end(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// "anchors.recipe.ratio" as a run's configuration has it, where sets have names.
std::string key_of_run(const base::ConfigNode& place, const std::string& key) {
  const auto head = key.substr(0, key.find('.'));
  if (std::ranges::find(sections(), head) == sections().end()) {
    place.fail(fmt::format(
        "a level sets sections of a run (anchors, corpus, decode, embed, encoder, rated_copies), or keys of "
        "theirs as in anchors.recipe.ratio; \"{}\" is none{}",
        key, base::did_you_mean(head, sections())));
  }
  return head == "anchors" ? head + "." + kSet + key.substr(head.size()) : key;
}

/// Assignments for all scalars and lists below a node, so that levels of several axes set keys of one
/// section.
void flatten(const base::ConfigNode& place, const std::string& key, const base::ConfigNode& value,
             std::vector<std::string>& assignments) {
  if (!value.is_map()) {
    assignments.push_back(key_of_run(place, key) + "=" + without_line_end(value.dump()));
    return;
  }
  for (const auto& [name, node] : value.entries()) flatten(place, key + "." + name, node, assignments);
}

Level level_of(const std::string& name, const base::ConfigNode& node) {
  Level level{name, {}};
  if (!node.is_map() && !node.is_null()) node.fail("a level is a map of what it sets, {} for nothing");
  for (const auto& [key, value] : node.entries()) flatten(node, key, value, level.assignments);
  return level;
}

std::vector<Level> levels_of(const base::ConfigNode& axis) {
  std::vector<Level> levels;
  if (axis.has("key") || axis.has("values")) {
    const auto key = axis.require<std::string>("key");
    for (const auto& value : axis.child("values").elements()) {
      const auto text = value.as<std::string>();
      levels.push_back({text, {key_of_run(axis, key) + "=" + without_line_end(value.dump())}});
    }
    axis.finish();
  } else {
    for (const auto& [name, node] : axis.entries()) levels.push_back(level_of(name, node));
  }
  if (levels.empty()) axis.fail("an axis needs a level: NAME: {KEY: VALUE}, or key and values");
  std::set<std::string> names;
  for (const auto& level : levels)
    if (!names.insert(level.name).second) axis.fail("two levels are named \"" + level.name + "\"");
  return levels;
}

/// The names under a key of an `exclude` entry, checked against the axis.
std::vector<std::size_t> excluded_levels(const base::ConfigNode& node, const Axis& axis) {
  std::vector<std::size_t> chosen;
  for (const auto& element : node.elements()) {
    const auto name = element.as<std::string>();
    const auto found = std::ranges::find(axis.levels, name);
    if (found == axis.levels.end()) element.fail("the axis " + axis.name + " has no level \"" + name + "\"");
    chosen.push_back(static_cast<std::size_t>(found - axis.levels.begin()));
  }
  return chosen;
}

struct Exclusion {
  std::vector<std::vector<std::size_t>> levels;  ///< By axis; empty: any.

  bool covers(const std::vector<std::size_t>& cell) const {
    for (std::size_t axis = 0; axis < cell.size(); ++axis) {
      if (!levels[axis].empty() && std::ranges::find(levels[axis], cell[axis]) == levels[axis].end())
        return false;
    }
    return true;
  }
};

std::vector<Exclusion> exclusions(const base::ConfigNode& node, const StudyConfig& config) {
  std::vector<Exclusion> result;
  for (const auto& element : node.elements()) {
    auto& exclusion = result.emplace_back();
    exclusion.levels.resize(config.axes.size());
    if (element.entries().empty()) element.fail("an exclusion names a level of an axis: {AXIS: LEVEL}");
    for (const auto& [name, levels] : element.entries()) {
      const auto axis = std::ranges::find(config.axes, name, &Axis::name);
      if (axis == config.axes.end()) levels.fail("there is no axis \"" + name + "\"");
      exclusion.levels[static_cast<std::size_t>(axis - config.axes.begin())] = excluded_levels(levels, *axis);
    }
  }
  return result;
}

std::string embedder_of(const pipeline::RunConfig& config) {
  std::string text = config.encoder.weights.string() + "\n" + config.encoder.vocabulary.string();
  for (const auto& [key, value] : config.identity) text += "\n" + key + "=" + value;
  return text;
}

Cell cell_of(const base::ConfigNode& root, const std::string& name) {
  Cell cell;
  // The texts before anything is read of them, as reading them does not change them.
  cell.corpus = root.child("corpus").dump();
  if (root.has("rated_copies")) {
    cell.corpus += "rated copies: " + root.child("rated_copies").dump();
    cell.rated_copies = pipeline::distortion_recipe_from_yaml(root.child("rated_copies"));
  }
  const auto anchors = root.child("anchors").child(kSet);
  if (anchors.is_map() && anchors.has("corpus")) {
    cell.anchor_data = anchors.child("corpus").dump();
    if (anchors.has("distortions")) cell.anchor_data += "distortions: " + anchors.child("distortions").dump();
  }
  cell.config =
      pipeline::load_run_config(root, name, corpus::SourcePresence::kRequired, pipeline::AnchorNeed::kSome);
  if (cell.rated_copies && cell.config.encoder.architecture == encoder::kImported)
    base::fail(base::ExitCode::kConfig,
               name + ": rated_copies have to be embedded, and imported vectors are no encoder");
  if (cell.config.anchors.size() != 1)
    base::fail(base::ExitCode::kConfig,
               name + ": a cell has one anchor set; set the keys of \"anchors\" itself");
  cell.embedder = embedder_of(cell.config);
  return cell;
}

/// The sections that all cells share, as text.
std::string shared_sections(const base::ConfigNode& root) {
  std::string text;
  for (const char* section :
       {"decode", "embed", "encoder", "corpus", "rated_copies", "memory", "embeddings"}) {
    if (!root.has(section)) continue;
    const auto node = root.child(section);
    if (node.is_map()) {
      // Below its key, and so farther to the right.
      std::string lines = without_line_end(node.dump());
      for (std::size_t at = 0; (at = lines.find('\n', at)) != std::string::npos; at += 3)
        lines.replace(at, 1, "\n  ");
      text += fmt::format("{}:\n  {}\n", section, lines);
      for (const auto& entry : node.entries()) static_cast<void>(entry);
    } else {
      text += fmt::format("{}: {}", section, node.dump());
    }
  }
  return text;
}

void make_cells(const base::ConfigNode& root, const std::vector<std::vector<Level>>& levels,
                const std::vector<Exclusion>& excluded, const std::string& file, StudyConfig& config) {
  std::size_t total = 1;
  for (const auto& axis : levels) {
    if (total > kMostCells / axis.size())
      root.child("axes").fail(fmt::format("the grid has more than {} cells", kMostCells));
    total *= axis.size();
  }
  std::string base = "run: " + config.folder.string() + "\n" + shared_sections(root);
  if (root.has("anchors")) {
    std::vector<std::string> shared;
    flatten(root.child("anchors"), "anchors", root.child("anchors"), shared);
    base = base::ConfigNode::parse_text(base, file, shared).dump();
  }
  for (std::size_t number = 0; number < total; ++number) {
    std::vector<std::size_t> chosen(levels.size());
    std::size_t rest = number;
    for (std::size_t axis = levels.size(); axis-- > 0;) {
      chosen[axis] = rest % levels[axis].size();
      rest /= levels[axis].size();
    }
    if (std::ranges::any_of(excluded, [&](const auto& one) { return one.covers(chosen); })) {
      ++config.excluded;
      continue;
    }
    std::vector<std::string> assignments;
    std::string name;
    for (std::size_t axis = 0; axis < levels.size(); ++axis) {
      const auto& level = levels[axis][chosen[axis]];
      assignments.insert(assignments.end(), level.assignments.begin(), level.assignments.end());
      name += fmt::format("{}{}={}", name.empty() ? "" : ", ", config.axes[axis].name, level.name);
    }
    name = file + " (" + name + ")";
    try {
      config.cells.push_back(cell_of(base::ConfigNode::parse_text(base, name, assignments), name));
    } catch (const base::Error& error) {
      // What an assignment gets wrong is said of the assignment.
      const std::string message = error.what();
      base::fail(error.code(), message.starts_with(name) ? message : name + ": " + message);
    }
    config.cells.back().levels = std::move(chosen);
  }
  if (config.cells.empty()) root.child("exclude").fail("it leaves no cell");
}

/// An axis by its name under `key`, or the fallback.
std::string axis_named(const base::ConfigNode& node, const char* key, const StudyConfig& config,
                       const std::string& fallback) {
  const auto name = node.get<std::string>(key, fallback);
  if (std::ranges::find(config.axes, name, &Axis::name) == config.axes.end())
    node.child(key).fail("there is no axis \"" + name + "\"");
  return name;
}

}  // namespace

std::size_t StudyConfig::axis(const std::string& wanted) const {
  const auto found = std::ranges::find(axes, wanted, &Axis::name);
  QUASAR_CHECK(found != axes.end());
  return static_cast<std::size_t>(found - axes.begin());
}

std::string describe(const StudyConfig& config, const Cell& cell) {
  std::string text;
  for (std::size_t axis = 0; axis < cell.levels.size(); ++axis)
    text += (text.empty() ? "" : ", ") + config.axes[axis].levels[cell.levels[axis]];
  return text;
}

StudyConfig load_study(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  const auto root = base::ConfigNode::parse_file(path, overrides);
  StudyConfig config;
  config.name = path.stem().string();
  config.folder = root.require<std::filesystem::path>("study");
  config.draws = root.get_in<int>("draws", 1, 1, kMostDraws);
  config.sheet = root.get_in<int>("sheet", 0, 0, 100);
  config.projections = root.get<bool>("projections", false);
  config.resamples = static_cast<std::uint64_t>(root.get_in<std::int64_t>("bootstrap", 0, 0, 1'000'000));
  constexpr std::int64_t kLeastMemory = std::int64_t{64} << 20U;
  config.memory = root.get_in<std::int64_t>("memory", std::int64_t{4} << 30U, kLeastMemory, INT64_MAX / 2);
  const auto axes = root.child("axes");
  std::vector<std::vector<Level>> levels;
  for (const auto& [name, node] : axes.entries()) {
    if (!node.is_map()) node.fail("an axis is a map of levels, or of key and values");
    levels.push_back(levels_of(node));
    auto& axis = config.axes.emplace_back();
    axis.name = name;
    for (const auto& level : levels.back()) axis.levels.push_back(level.name);
  }
  if (config.axes.empty()) axes.fail("a study needs an axis, as configs/studies/ shows");
  const auto excluded = exclusions(root.child("exclude"), config);
  const auto table = root.child("table");
  config.rows = axis_named(table, "rows", config, config.axes.front().name);
  config.columns = axis_named(table, "columns", config, config.axes.back().name);
  table.finish();
  make_cells(root, levels, excluded, path.string(), config);
  root.finish();
  config.stall_timeout_s = config.cells.front().config.embed.stall_timeout_s;
  config.effective = root.dump();
  return config;
}

}  // namespace quasar::study
