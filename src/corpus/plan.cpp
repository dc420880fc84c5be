#include "corpus/plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "corpus/plan_builder.h"
#include "corpus/plan_files.h"
#include "corpus/plan_state.h"
#include "corpus/sources/stamps.h"

namespace quasar::corpus {
Plan Plan::make(const CorpusConfig& config) {
  PlanBuilder builder(nullptr, config.shard_size);
  for (const auto& source : config.sources) builder.add_source(source);
  return Plan(builder.finish());
}

Plan Plan::from_items(const std::vector<Item>& items, int shard_size) {
  PlanBuilder builder(nullptr, shard_size);
  builder.add_made_items(items);
  return Plan(builder.finish());
}

Plan Plan::load(const std::filesystem::path& run) {
  return from_text(read_text(run), run);
}

std::string Plan::read_text(const std::filesystem::path& run) {
  return base::read_file(plan_file(run));
}

Plan Plan::from_text(const std::string& plan_json, const std::filesystem::path& run) {
  const auto path = plan_file(run);
  auto state = State::from_json(plan_json, path.string());
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) state.written = nanoseconds_of(status.st_mtim);
  state.items = ItemStore::open(items_file(run));
  // Longer is well: an extension that was cut short before its plan.json was in place.
  if (state.items->size() < state.items_bytes()) {
    base::fail(base::ExitCode::kMismatch, items_file(run).string() + " is shorter than " + path.string() +
                                              " says; restore both from a copy, "
                                              "or use a new run directory");
  }
  return Plan(std::make_shared<const State>(std::move(state)));
}

bool Plan::has_items(const std::string& plan_json, const std::filesystem::path& run) {
  auto state = State::from_json(plan_json, plan_file(run).string());
  try {
    state.items = ItemStore::open(items_file(run));
    if (!state.shards.empty()) state.read_items(state.shards.back());
    return true;
  } catch (const base::Error&) {
    return false;
  }
}

void Plan::save(const std::filesystem::path& run) const {
  const std::uint64_t size = state_->items_bytes();
  base::make_directories(run);
  base::AtomicFile items(items_file(run));
  for (std::uint64_t done = 0; done < size; done += std::min(kCopyBytes, size - done)) {
    items.write(state_->items->read(done, std::min(kCopyBytes, size - done)));
  }
  items.commit();
  base::write_file_atomically(plan_file(run), state_->to_json());
}

namespace {

/// The source of `left` that the plan describes so, which is taken out of it.
const SourceConfig& take_source(std::vector<const SourceConfig*>& left, const std::string& description) {
  const auto found = std::find_if(
      left.begin(), left.end(), [&](const SourceConfig* source) { return describe(*source) == description; });
  if (found == left.end()) {
    base::fail(
        base::ExitCode::kMismatch,
        "this run was planned with the source " + description +
            ", which the configuration does not name (any more, or not with these keys); sources may be "
            "added to a run, not taken away or changed: use a new run directory for another corpus");
  }
  const SourceConfig& source = **found;
  left.erase(found);
  return source;
}

std::vector<const SourceConfig*> sources_of(const CorpusConfig& config) {
  std::vector<const SourceConfig*> sources;
  for (const auto& source : config.sources) sources.push_back(&source);
  return sources;
}

}  // namespace

Plan Plan::extend(const CorpusConfig& config, SourceCheck check) const {
  auto added = sources_of(config);
  for (const auto& old : state_->sources) {
    const auto source = make_source(take_source(added, old.description));
    const std::string change = source->change_since(old.state, check, state_->written);
    if (!change.empty()) {
      base::fail(base::ExitCode::kMismatch,
                 "the source " + old.description + " has changed since the run was planned: " + change +
                     "; put it back, name what is new as a source of its own, or use a new run directory");
    }
  }
  if (added.empty()) return *this;
  PlanBuilder builder(state_.get(), config.shard_size);
  for (const auto* source : added) builder.add_source(*source);
  return Plan(builder.finish());
}

void Plan::check_sources(const CorpusConfig& config) const {
  auto added = sources_of(config);
  for (const auto& old : state_->sources) take_source(added, old.description);
  if (added.empty()) return;
  base::fail(base::ExitCode::kMismatch,
             "the configuration names the source " + describe(*added.front()) +
                 ", which the frozen plan does not have yet: run \"quasar plan --freeze\" first");
}

const std::vector<Shard>& Plan::shards() const {
  return state_->shards;
}
std::uint64_t Plan::item_count() const {
  return state_->item_count;
}
std::uint64_t Plan::largest_shard() const {
  std::uint64_t most = 0;
  for (const auto& shard : state_->shards) most = std::max(most, shard.count);
  return most;
}
const std::string& Plan::fingerprint() const {
  return state_->fingerprint;
}
const std::map<std::string, std::uint64_t>& Plan::left_out() const {
  return state_->counts.left_out;
}
const std::map<std::string, std::uint64_t>& Plan::noted() const {
  return state_->counts.noted;
}
std::vector<PublishedSet> Plan::published_sets() const {
  std::vector<PublishedSet> sets;
  for (const auto& source : state_->sources)
    if (source.set) sets.push_back(*source.set);
  return sets;
}
std::optional<LabelScale> Plan::label_scale() const {
  std::optional<LabelScale> scale;
  for (const auto& source : state_->sources) {
    if (!source.set || !source.set->label || (scale && *scale != *source.set->label)) return std::nullopt;
    scale = source.set->label;
  }
  return scale;
}
std::vector<Item> Plan::read_items(const Shard& shard) const {
  return state_->read_items(shard);
}
std::vector<Item> Plan::read_items() const {
  std::vector<Item> all;
  for (const auto& shard : shards()) {
    auto items = read_items(shard);
    all.insert(all.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
  }
  return all;
}

}  // namespace quasar::corpus
