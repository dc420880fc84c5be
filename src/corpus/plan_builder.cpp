#include "corpus/plan_builder.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/errors.h"
#include "corpus/path_text.h"
#include "corpus/sources/source.h"

namespace quasar::corpus {
PlanBuilder::PlanBuilder(const Plan::State* before, int shard_size)
    : shard_size_(static_cast<std::uint64_t>(std::max(1, shard_size))), limit_(shard_size_) {
  auto items = ItemStore::unnamed();
  if (before != nullptr) {
    state_ = *before;
    for (const auto& shard : before->shards) {
      for (const auto& item : before->read_items(shard)) id_hashes_.push_back(id_hash(item.id));
    }
    const std::uint64_t size = before->items_bytes();
    for (std::uint64_t done = 0; done < size; done += std::min(kCopyBytes, size - done)) {
      items->append(before->items->read(done, std::min(kCopyBytes, size - done)));
    }
  }
  state_.items = std::move(items);
}

void PlanBuilder::add_source(const SourceConfig& source) {
  state_.sources.push_back({describe(source), ""});
  prefix_ = source.name.empty() ? "" : escaped_text(source.name) + "/";
  limit_ = shard_size_;
  splits_group_ = false;
  state_.sources.back().state = make_source(source)->list(*this, state_.counts);
  close_shard();
}

void PlanBuilder::add_made_items(const std::vector<Item>& items) {
  state_.sources.push_back({R"({"kind":"items"})", ""});
  for (const auto& item : items) add(item);
  close_shard();
}

void PlanBuilder::begin_group(std::size_t count) {
  if (splits_group_ || shard_.count + count > shard_size_) close_shard();
  const std::uint64_t parts = (count + shard_size_ - 1) / shard_size_;
  splits_group_ = parts > 1;
  // Equal parts, so that no shard of a few images is left over.
  limit_ = splits_group_ ? (count + parts - 1) / parts : shard_size_;
}

void PlanBuilder::describe_set(PublishedSet set) {
  state_.sources.back().set = std::move(set);
}

void PlanBuilder::add(Item item) {
  if (!prefix_.empty()) {
    item.id.insert(0, prefix_);
    if (!item.reference.empty()) item.reference.insert(0, prefix_);
  }
  if (shard_.count == 0) {
    shard_ = {};
    shard_.id = static_cast<int>(state_.shards.size());
    shard_.source = static_cast<int>(state_.sources.size()) - 1;
    shard_.first = state_.item_count;
    shard_.offset = state_.items->size();
    digest_ = std::make_unique<base::Sha256>();
  }
  id_hashes_.push_back(id_hash(item.id));
  const std::string line = item_to_line(item) + "\n";
  digest_->update(line);
  state_.items->append(line);
  shard_.length += line.size();
  shard_.bytes += item.size;
  ++shard_.count;
  ++state_.item_count;
  if (shard_.count >= limit_) close_shard();
}

void PlanBuilder::close_shard() {
  if (shard_.count == 0) return;
  shard_.sha256 = digest_->hex_digest();
  state_.shards.push_back(shard_);
  shard_ = {};
}

void PlanBuilder::check_ids_are_unique() {
  std::sort(id_hashes_.begin(), id_hashes_.end());
  std::unordered_set<std::uint64_t> suspects;
  for (std::size_t i = 1; i < id_hashes_.size(); ++i) {
    if (id_hashes_[i] == id_hashes_[i - 1]) suspects.insert(id_hashes_[i]);
  }
  if (suspects.empty()) return;
  // Equal hashes are nearly always equal ids; only reading them tells.
  std::unordered_map<std::string, std::string> seen;
  for (const auto& shard : state_.shards) {
    for (auto& item : state_.read_items(shard)) {
      if (suspects.count(id_hash(item.id)) == 0) continue;
      const auto [place, is_new] = seen.emplace(item.id, item.source);
      if (is_new) continue;
      const auto& description = state_.sources[static_cast<std::size_t>(shard.source)].description;
      base::fail(
          base::ExitCode::kInput,
          "the id \"" + item.id + "\" occurs twice in the corpus: " + place->second + " and " + item.source +
              " (the latter in the source " + description +
              "); ids must be unique: give sources with equal names a \"name\" of their own, which is put "
              "before their ids; a table has each id (\"id_column\") for one path alone");
    }
  }
}

std::shared_ptr<const Plan::State> PlanBuilder::finish() {
  state_.items->flush();
  check_ids_are_unique();
  state_.fingerprint = state_.compute_fingerprint();
  return std::make_shared<const Plan::State>(std::move(state_));
}

}  // namespace quasar::corpus
