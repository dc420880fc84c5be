#include "corpus/plan_state.h"

#include <nlohmann/json.hpp>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/version.h"
#include "corpus/sources/stamps.h"

namespace quasar::corpus {
namespace {

using nlohmann::json;

json shard_to_json(const Shard& shard) {
  return {{"source", shard.source}, {"first", shard.first},   {"count", shard.count},  {"bytes", shard.bytes},
          {"offset", shard.offset}, {"length", shard.length}, {"sha256", shard.sha256}};
}

json set_to_json(const PublishedSet& set) {
  json result = {
      {"name", set.name}, {"listed", set.listed}, {"published", set.published}, {"missing", set.missing}};
  if (!set.split.empty()) result["split"] = set.split;
  if (!set.label) return result;
  auto& label = result["label"];
  label = {{"name", set.label->name},
           {"direction", to_text(set.label->direction)},
           {"deviations_in_units", set.label->deviations_in_units}};
  if (set.label->low) label["low"] = *set.label->low;
  if (set.label->high) label["high"] = *set.label->high;
  return result;
}

PublishedSet set_from_json(const json& given) {
  PublishedSet set;
  set.name = given.at("name").get<std::string>();
  set.split = given.value("split", "");
  set.listed = given.at("listed").get<std::uint64_t>();
  set.published = given.at("published").get<std::uint64_t>();
  set.missing = given.at("missing").get<std::uint64_t>();
  if (!given.contains("label")) return set;
  const auto& label = given["label"];
  set.label.emplace();
  set.label->name = label.at("name").get<std::string>();
  const bool down = label.at("direction").get<std::string>() == to_text(LabelDirection::kDown);
  set.label->direction = down ? LabelDirection::kDown : LabelDirection::kUp;
  set.label->deviations_in_units = label.at("deviations_in_units").get<bool>();
  if (label.contains("low")) set.label->low = label["low"].get<double>();
  if (label.contains("high")) set.label->high = label["high"].get<double>();
  return set;
}

json parsed_or_null(const std::string& text) {
  return text.empty() ? json() : json::parse(text);
}

[[noreturn]] void fail_plan(const std::string& name, const std::string& why) {
  base::fail(base::ExitCode::kMismatch, name + " " + why);
}

}  // namespace

std::vector<Item> Plan::State::read_items(const Shard& shard) const {
  const std::string text = items->read(shard.offset, shard.length);
  if (base::sha256_hex(text) != shard.sha256) {
    fail_plan("items.jsonl", "was changed after the plan was made: shard " + std::to_string(shard.id) +
                                 " does not have the lines that were frozen");
  }
  std::vector<Item> result;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    result.push_back(item_from_line(rest.substr(0, end), schema));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (result.size() != shard.count) fail_plan("items.jsonl", "does not go with its plan.json");
  return result;
}

std::string Plan::State::compute_fingerprint() const {
  base::Sha256 digest;
  for (const auto& source : sources) digest.update(source.description + "\n");
  for (const auto& shard : shards) digest.update(shard_to_json(shard).dump() + "\n");
  return digest.hex_digest();
}

std::string Plan::State::to_json() const {
  json plan;
  plan["schema_version"] = schema;
  plan["software_version"] = base::version();
  plan["fingerprint"] = fingerprint;
  plan["item_count"] = item_count;
  plan["sources"] = json::array();
  for (const auto& source : sources) {
    plan["sources"].push_back({{"description", parsed_or_null(source.description)},
                               {"text", source.description},
                               {"state", parsed_or_null(source.state)}});
    // Beside the state, which earlier versions compare as a whole.
    auto& entry = plan["sources"].back();
    if (auto& state = entry["state"]; state.contains(kStamps)) {
      entry[kStamps] = std::move(state[kStamps]);
      state.erase(kStamps);
    }
    if (source.set) plan["sources"].back()["set"] = set_to_json(*source.set);
  }
  plan["shards"] = json::array();
  for (const auto& shard : shards) plan["shards"].push_back(shard_to_json(shard));
  plan["left_out"] = counts.left_out;
  if (!counts.noted.empty()) plan["noted"] = counts.noted;
  plan["checksum"] = base::sha256_hex(plan.dump());
  return plan.dump(1) + "\n";
}

Plan::State Plan::State::from_json(const std::string& text, const std::string& name) {
  json plan = json::parse(text, nullptr, false);
  if (!plan.is_object()) fail_plan(name, "is no plan: it is not well-formed JSON");
  State state;
  try {
    state.schema = plan.at("schema_version").get<int>();
    if (state.schema < 1 || state.schema > kPlanSchema) {
      fail_plan(name, "has schema version " + std::to_string(state.schema) +
                          "; this program reads versions 1 to " + std::to_string(kPlanSchema));
    }
    const auto checksum = plan.at("checksum").get<std::string>();
    plan.erase("checksum");
    if (base::sha256_hex(plan.dump()) != checksum) {
      fail_plan(name,
                "was changed after it was made (its checksum is wrong); a plan is frozen: use a new run "
                "directory for another corpus");
    }
    state.fingerprint = plan.at("fingerprint").get<std::string>();
    state.item_count = plan.at("item_count").get<std::uint64_t>();
    for (const auto& source : plan.at("sources")) {
      auto recorded = source.at("state");
      if (recorded.is_object() && source.contains(kStamps)) recorded[kStamps] = source[kStamps];
      state.sources.push_back(
          {source.at("text").get<std::string>(), recorded.is_null() ? std::string() : recorded.dump()});
      if (source.contains("set")) state.sources.back().set = set_from_json(source["set"]);
    }
    std::uint64_t first = 0;
    std::uint64_t offset = 0;
    for (const auto& entry : plan.at("shards")) {
      Shard shard;
      shard.id = static_cast<int>(state.shards.size());
      shard.source = entry.at("source").get<int>();
      shard.first = entry.at("first").get<std::uint64_t>();
      shard.count = entry.at("count").get<std::uint64_t>();
      shard.bytes = entry.at("bytes").get<std::uint64_t>();
      shard.offset = entry.at("offset").get<std::uint64_t>();
      shard.length = entry.at("length").get<std::uint64_t>();
      shard.sha256 = entry.at("sha256").get<std::string>();
      const bool in_order = shard.first == first && shard.offset == offset && shard.count > 0 &&
                            shard.count <= shard.length && shard.source >= 0 &&
                            static_cast<std::size_t>(shard.source) < state.sources.size();
      if (!in_order)
        fail_plan(name, "is damaged: shard " + std::to_string(shard.id) + " does not follow the one before");
      first += shard.count;
      offset += shard.length;
      state.shards.push_back(std::move(shard));
    }
    if (first != state.item_count || state.compute_fingerprint() != state.fingerprint) {
      fail_plan(name, "is damaged: its fingerprint is not that of its shards");
    }
    state.counts.left_out = plan.at("left_out").get<Counts>();
    if (plan.contains("noted")) state.counts.noted = plan["noted"].get<Counts>();
  } catch (const json::exception& error) {
    fail_plan(name, std::string("is no plan: ") + error.what());
  }
  return state;
}

}  // namespace quasar::corpus
