#include "pipeline/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/nearest_word.h"
#include "base/stop_signal.h"
#include "curation/balance_rule.h"
#include "curation/cell_text.h"
#include "curation/manifest_reader.h"
#include "curation/ranking_summary.h"
#include "curation/report_tally.h"
#include "curation/score_rule.h"

namespace quasar::pipeline {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kNeighbours = 5;
/// Rows named of those that a kept row stands for.
constexpr std::size_t kStandsFor = 20;
constexpr std::size_t kRowsPerBlock = 1024;

/// The row in its shard.
struct Found {
  store::RowRecord record;
  std::uint64_t number = 0;   ///< In the plan.
  std::vector<float> vector;  ///< Empty where it has none.
  std::string computed_on;
};

void check_stop() {
  base::end_if_stopped();
}

[[noreturn]] void refuse_id(const std::string& id, const std::optional<std::string>& nearest) {
  base::fail(base::ExitCode::kInput, "no row has the id \"" + id + "\"" +
                                         (nearest ? "; did you mean \"" + *nearest + "\"?"
                                                  : "; ids are the names in the manifest's column id"));
}

Found find_row(const dataset::DataSet& corpus, const std::string& id) {
  // The nearest of each block, as the ids of a corpus may be more than memory holds.
  std::vector<std::string> nearest;
  for (const auto& shard : corpus.plan().shards()) {
    const auto reader = corpus.open(shard);
    for (std::size_t first = 0; first < reader.size(); first += kRowsPerBlock) {
      check_stop();
      const auto records = reader.read_rows(first, std::min(kRowsPerBlock, reader.size() - first));
      std::vector<std::string> ids;
      for (std::size_t i = 0; i < records.size(); ++i) {
        ids.push_back(records[i].id);
        if (curation::as_json_reads(records[i].id) != curation::as_json_reads(id)) continue;
        Found found{records[i], shard.first + first + i, {}, {}};
        for (const auto& kind : reader.header().computed_on)
          found.computed_on += (found.computed_on.empty() ? "" : " and ") + kind;
        found.vector.resize(static_cast<std::size_t>(reader.header().dimension));
        reader.read_embeddings(first + i, 1, found.vector);
        if (records[i].status != base::RowStatus::kOk) found.vector.clear();
        return found;
      }
      if (auto near = base::nearest_word(id, ids)) nearest.push_back(*std::move(near));
    }
  }
  refuse_id(id, base::nearest_word(id, nearest));
}

/// What the manifest says of the row, and of its place among the others.
class ManifestFacts {
 public:
  ManifestFacts(const RunConfig& config, const std::vector<std::string>& scores, const std::string& ranked_by,
                const std::string& id)
      : path_(config.run.manifest_jsonl()), scores_(scores), id_(curation::as_json_reads(id)) {
    find();
    place(ranked_by);
  }

  ordered_json row;                 ///< Its line.
  std::vector<float> values;        ///< [scores]; empty for a row without.
  std::vector<double> percentiles;  ///< [scores] Share of the scored rows that are not above it.
  std::uint64_t scored = 0;
  std::uint64_t kept = 0;
  std::uint64_t eligible_place =
      0;  ///< From 1, among the rows that all but the keep rule leave; 0: not among them.
  std::uint64_t eligible = 0;
  std::optional<float> lowest_kept;  ///< Score, of those kept, that rows are ranked by.
  std::uint64_t stands_for_rows = 0;
  std::vector<ordered_json> stands_for;
  ordered_json kept_copy;                    ///< The row that it is a copy of.
  std::unordered_set<std::size_t> kept_ids;  ///< Hashes of 64 bits.

 private:
  static std::string text(const curation::ManifestReader& reader, const curation::ManifestRow& row,
                          std::string_view column) {
    const auto& columns = reader.columns();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].name != column) continue;
      const auto* value = std::get_if<std::string_view>(&row[c]);
      return value == nullptr ? std::string() : std::string(*value);
    }
    return "";
  }
  static ordered_json json(const curation::ManifestReader& reader, const curation::ManifestRow& row) {
    auto object = ordered_json::object();
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (row[c].index() == 0) continue;
      std::string cell;
      curation::append_json(reader.columns()[c].type, row[c], cell);
      object[reader.columns()[c].name] = ordered_json::parse(cell);
    }
    return object;
  }

  void find() {
    curation::ManifestReader reader(path_, scores_);
    curation::ManifestRow cells;
    while (reader.next(cells)) {
      check_stop();
      if (text(reader, cells, "id") != id_) continue;
      row = json(reader, cells);
      for (std::size_t s = 0; s < scores_.size(); ++s) {
        if (const auto* value = std::get_if<float>(&cells[reader.columns().first_score() + s]))
          values.push_back(*value);
      }
      if (values.size() != scores_.size()) values.clear();
      return;
    }
    base::fail(base::ExitCode::kMismatch,
               path_.string() + " has no row \"" + id_ +
                   "\", which the run has: it is older; run \"quasar rank\" first");
  }

  void place(const std::string& ranked_by) {
    curation::ManifestReader reader(path_, scores_);
    const auto& columns = reader.columns();
    const auto keep_at = columns.index_of("keep");
    const auto ranked_at = columns.index_of(ranked_by);
    const auto copy_of = row.value("duplicate_of", std::string());
    const auto reason = row.at("reason").get<std::string>();
    const bool outside = reason.starts_with("against: ");
    std::vector<std::uint64_t> not_above(values.size());
    curation::ManifestRow cells;
    while (reader.next(cells)) {
      check_stop();
      const auto id = text(reader, cells, "id");
      const bool keep = std::get<bool>(cells[keep_at]);
      const auto* score = std::get_if<float>(&cells[ranked_at]);
      if (keep) {
        ++kept;
        kept_ids.insert(std::hash<std::string>()(id));
        if (score != nullptr) lowest_kept = *score;
      }
      if (keep || curation::is_keep_rule_reason(text(reader, cells, "reason"))) {
        ++eligible;
        if (id == id_) eligible_place = eligible;
      }
      if (score != nullptr) {
        ++scored;
        for (std::size_t s = 0; s < values.size(); ++s) {
          const auto* other = std::get_if<float>(&cells[columns.first_score() + s]);
          if (other != nullptr && *other <= values[s]) ++not_above[s];
        }
      }
      if (!copy_of.empty() && !outside && id == copy_of) kept_copy = json(reader, cells);
      if (id != id_ && text(reader, cells, "duplicate_of") == id_ &&
          !text(reader, cells, "reason").starts_with("against: ")) {
        ++stands_for_rows;
        if (stands_for.size() < kStandsFor) stands_for.push_back(json(reader, cells));
      }
    }
    for (const auto count : not_above)
      percentiles.push_back(scored == 0 ? 0
                                        : 100.0 * static_cast<double>(count) / static_cast<double>(scored));
  }

  std::filesystem::path path_;
  const std::vector<std::string>& scores_;
  std::string id_;
};

double cosine(std::span<const float> a, std::span<const float> b) {
  double product = 0;
  double a_squares = 0;
  double b_squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    a_squares += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    b_squares += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return product / std::sqrt(a_squares * b_squares);
}

/// The kept rows whose vectors point most nearly where the row's does, ties by place in the plan.
ordered_json neighbours_of(const dataset::DataSet& corpus, const Found& found, const ManifestFacts& facts) {
  struct Neighbour {
    double cosine;
    std::string id;
  };
  std::vector<Neighbour> nearest;
  std::vector<float> vectors;
  for (const auto& shard : corpus.plan().shards()) {
    const auto reader = corpus.open(shard);
    const auto dimension = static_cast<std::size_t>(reader.header().dimension);
    for (std::size_t first = 0; first < reader.size(); first += kRowsPerBlock) {
      check_stop();
      const auto count = std::min(kRowsPerBlock, reader.size() - first);
      const auto records = reader.read_rows(first, count);
      vectors.resize(count * dimension);
      reader.read_embeddings(first, count, vectors);
      for (std::size_t i = 0; i < count; ++i) {
        if (shard.first + first + i == found.number || records[i].status != base::RowStatus::kOk) continue;
        const auto id = curation::as_json_reads(records[i].id);
        if (!facts.kept_ids.contains(std::hash<std::string>()(id))) continue;
        const double value = cosine(found.vector, std::span(vectors).subspan(i * dimension, dimension));
        if (!std::isfinite(value)) continue;
        const auto place = std::find_if(nearest.begin(), nearest.end(),
                                        [&](const Neighbour& other) { return other.cosine < value; });
        nearest.insert(place, {value, id});
        if (nearest.size() > kNeighbours) nearest.pop_back();
      }
    }
  }
  auto neighbours = ordered_json::array();
  for (const auto& one : nearest) neighbours.push_back({{"id", one.id}, {"cosine", one.cosine}});
  return neighbours;
}

/// A float32 as the double that reads like it.
double as_written(float value) {
  return std::strtod(curation::shortest(value).c_str(), nullptr);
}

class Explanation {
 public:
  Explanation(const RunConfig& config, const dataset::DataSet& corpus, const std::string& id)
      : config_(config),
        ranking_(curation::read_ranking_summary(config.run)),
        found_(find_row(corpus, id)),
        facts_(config, ranking_.scores, ranking_.ranked_by, found_.record.id) {
    json_["schema_version"] = 1;
    json_["id"] = facts_.row.at("id");
    json_["keep"] = facts_.row.at("keep");
    json_["reason"] = facts_.row.at("reason");
    add_image();
    add_scores();
    add_floors();
    add_filters();
    add_duplicates();
    add_keep();
    add_clusters();
    if (!found_.vector.empty()) json_["nearest_kept"] = neighbours_of(corpus, found_, facts_);
  }

  std::string text() const {
    return json_.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  }

 private:
  void add_image() {
    const auto& record = found_.record;
    auto& image = json_["image"] = ordered_json::object();
    image["source"] = record.source;
    if (!record.member.empty()) image["member"] = record.member;
    image["offset"] = record.offset;
    image["bytes"] = record.bytes;
    image["format"] = record.format;
    image["width"] = record.width;
    image["height"] = record.height;
    image["xxh128"] = record.hash;
    if (!record.perceptual_hash.empty()) {
      image["perceptual_hash"] = record.perceptual_hash;
      image["perceptual_quality"] = record.perceptual_quality;
    }
    image["status"] = base::status_name(record.status);
    if (!record.error.empty()) image["error"] = record.error;
    if (!found_.computed_on.empty()) image["computed_on"] = found_.computed_on;
    image["plan_row"] = found_.number;
    if (!record.split.empty()) image["split"] = record.split;
    if (!record.reference.empty()) image["reference"] = record.reference;
    for (const char* column : {"label", "fields"}) {
      if (facts_.row.contains(column)) image[column] = facts_.row.at(column);
    }
    if (!std::isnan(record.deviation)) image["deviation"] = record.deviation;
  }

  void add_scores() {
    json_["rank"] = facts_.row.contains("rank") ? facts_.row.at("rank") : ordered_json(nullptr);
    json_["scored_rows"] = facts_.scored;
    json_["ranked_by"] = ranking_.ranked_by;
    auto& scores = json_["scores"] = ordered_json::object();
    for (std::size_t s = 0; s < facts_.values.size(); ++s) {
      auto& score = scores[ranking_.scores[s]] = ordered_json::object();
      score["value"] = as_written(facts_.values[s]);
      score["percentile"] = facts_.percentiles[s];
      const auto error = value_of(curation::error_column(ranking_.scores[s]));
      if (error) score["standard_error"] = as_written(*error);
    }
  }

  void add_floors() {
    const auto& curation = config_.curation;
    auto& floors = json_["floors"] = ordered_json::array();
    for (const auto& [column, minimum] : curation.minimum) {
      auto floor = ordered_json{{"column", column}, {"minimum", minimum}};
      const auto errors = curation.minimum_errors.find(column);
      if (errors != curation.minimum_errors.end()) floor["errors"] = errors->second;
      if (!facts_.values.empty()) {
        // The combination of a single score is that score.
        const auto value = value_of(column).value_or(facts_.values.front());
        floor["value"] = as_written(value);
        curation::CurationConfig alone;
        alone.measures = measures();
        alone.weights = curation.weights;
        alone.minimum[column] = minimum;
        if (errors != curation.minimum_errors.end()) alone.minimum_errors[column] = errors->second;
        floor["passes"] = !rule(alone).first_below_minimum(own_scores()).has_value();
      }
      floors.push_back(std::move(floor));
    }
    if (curation.drop_out_of_distribution && !facts_.values.empty()) {
      const auto flag = value_of(curation::kOutOfDistributionColumn).value_or(0);
      floors.push_back({{"column", curation::kOutOfDistributionColumn},
                        {"value", as_written(flag)},
                        {"passes", flag == 0}});
    }
  }

  void add_filters() {
    auto& filters = json_["filters"] = ordered_json::array();
    for (const auto& filter : config_.curation.filters) {
      curation::Filters alone(std::span(&filter, 1), ranking_.scores);
      auto told = ordered_json{{"name", filter.name}, {"column", filter.column}};
      if (filter.at_least) told["at_least"] = *filter.at_least;
      if (filter.at_most) told["at_most"] = *filter.at_most;
      if (!filter.one_of.empty()) told["one_of"] = filter.one_of;
      if (!filter.matches.empty()) told["matches"] = filter.matches;
      told["missing"] = filter.keep_missing ? "keep" : "drop";
      const auto value = alone.value(0, found_.record, facts_.values);
      told["value"] = value.empty() ? ordered_json(nullptr) : ordered_json(curation::as_json_reads(value));
      // Filters look at rows with scores.
      if (!facts_.values.empty()) told["passes"] = !alone.apply(found_.record, facts_.values).has_value();
      filters.push_back(std::move(told));
    }
  }

  void add_duplicates() {
    if (!facts_.row.contains("duplicate_of") && !facts_.row.contains("group_size")) return;
    auto& duplicates = json_["duplicates"] = ordered_json::object();
    const auto shown = [](const ordered_json& row) {
      auto one = ordered_json::object();
      for (const char* column : {"id", "rank", "keep", "reason", "distance", "width", "height"}) {
        if (row.contains(column)) one[column] = row.at(column);
      }
      return one;
    };
    if (const auto of = facts_.row.value("duplicate_of", std::string()); !of.empty()) {
      duplicates["duplicate_of"] = of;
      if (facts_.row.contains("distance")) duplicates["distance"] = facts_.row.at("distance");
      if (facts_.kept_copy.is_object()) duplicates["that_row"] = shown(facts_.kept_copy);
    }
    if (facts_.row.contains("group_size")) duplicates["group_size"] = facts_.row.at("group_size");
    if (facts_.stands_for_rows == 0) return;
    duplicates["stands_for_rows"] = facts_.stands_for_rows;
    auto& rows = duplicates["stands_for"] = ordered_json::array();
    for (const auto& row : facts_.stands_for) rows.push_back(shown(row));
  }

  void add_keep() {
    const auto& curation = config_.curation;
    auto& keep = json_["keep_rule"] = ordered_json::object();
    std::optional<std::uint64_t> limit;
    if (curation.threshold) keep["threshold"] = *curation.threshold;
    if (curation.top_k) limit = keep["top_k"] = *curation.top_k;
    if (curation.top_fraction) {
      keep["top_fraction"] = *curation.top_fraction;
      limit = static_cast<std::uint64_t>(
          std::llround(*curation.top_fraction * static_cast<double>(facts_.scored)));
    }
    if (limit) keep["limit"] = *limit;
    keep["eligible_rows"] = facts_.eligible;
    keep["kept_rows"] = facts_.kept;
    if (facts_.lowest_kept) keep["lowest_kept_score"] = as_written(*facts_.lowest_kept);
    if (facts_.eligible_place != 0) keep["place"] = facts_.eligible_place;
    if (const auto value = value_of(ranking_.ranked_by)) keep["score"] = as_written(*value);
  }

  void add_clusters() {
    for (const auto& [column, value] : facts_.row.items()) {
      if (curation::is_cluster_column(column)) json_["clusters"][column] = value;
    }
  }

  std::optional<float> value_of(const std::string& column) const {
    const auto found = std::find(ranking_.scores.begin(), ranking_.scores.end(), column);
    if (found == ranking_.scores.end() || facts_.values.empty()) return std::nullopt;
    return facts_.values[static_cast<std::size_t>(found - ranking_.scores.begin())];
  }
  bool has_combined() const {
    return ranking_.scores.size() > 1 && ranking_.scores.back() == curation::kCombinedColumn;
  }
  /// Scores that are of no anchor set, and not the combined one.
  std::vector<std::string> measures() const {
    std::vector<std::string> names(ranking_.scores.begin(), ranking_.scores.end() - (has_combined() ? 1 : 0));
    std::erase_if(names, [&](const std::string& name) {
      return std::any_of(config_.anchors.begin(), config_.anchors.end(),
                         [&](const AnchorSource& source) { return source.name == name; });
    });
    return names;
  }
  curation::ScoreRule rule(const curation::CurationConfig& config) const {
    return {{ranking_.scores.begin(), ranking_.scores.end() - (has_combined() ? 1 : 0)}, config};
  }
  std::span<const float> own_scores() const {
    return std::span(facts_.values).first(facts_.values.size() - (has_combined() ? 1 : 0));
  }

  const RunConfig& config_;
  curation::RankingSummary ranking_;
  Found found_;
  ManifestFacts facts_;
  ordered_json json_;
};

/// A text without what would act on a terminal.
std::string plain(const ordered_json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

/// "key value, key value" of an object.
std::string joined(const ordered_json& object) {
  std::string text;
  for (const auto& [key, value] : object.items())
    text += (text.empty() ? "" : ", ") + key + " " + plain(value);
  return text;
}

}  // namespace

std::string explanation_json(const RunConfig& config, const dataset::DataSet& corpus, const std::string& id) {
  return Explanation(config, corpus, id).text();
}

std::string explanation_text(const std::string& json) {
  const auto all = ordered_json::parse(json);
  std::string text = fmt::format("{}\n  {}: {}\n", plain(all.at("id")),
                                 all.at("keep").get<bool>() ? "kept" : "dropped", plain(all.at("reason")));
  const auto section = [&](const char* title, const char* key,
                           const std::function<void(const ordered_json&)>& tell) {
    const auto found = all.find(key);
    if (found == all.end() || found->empty()) return;
    text += fmt::format("\n{}\n", title);
    tell(*found);
  };
  const auto lines = [&](const ordered_json& object) {
    for (const auto& [key, value] : object.items()) text += fmt::format("  {:<18} {}\n", key, plain(value));
  };
  const auto verdict = [](const ordered_json& one) -> std::string {
    const auto passes = one.find("passes");
    return passes == one.end()   ? "not asked, as the row has no score"
           : passes->get<bool>() ? "passes"
                                 : "fails";
  };
  section("image", "image", lines);
  section("scores", "scores", [&](const ordered_json& scores) {
    text += fmt::format("  rank {} of {}, by {}\n", plain(all.at("rank")), plain(all.at("scored_rows")),
                        plain(all.at("ranked_by")));
    for (const auto& [name, score] : scores.items()) {
      text += fmt::format("  {:<18} {}", name, plain(score.at("value")));
      if (score.contains("standard_error")) text += " +- " + plain(score.at("standard_error"));
      text += fmt::format("  (percentile {:.2f})\n", score.at("percentile").get<double>());
    }
  });
  const auto rules = [&](const ordered_json& asked) {
    for (const auto& one : asked) {
      auto what = one;
      what.erase("passes");
      text += fmt::format("  {:<6} {}\n", verdict(one), joined(what));
    }
  };
  section("floors", "floors", rules);
  section("filters", "filters", rules);
  section("duplicates", "duplicates", [&](const ordered_json& duplicates) {
    for (const auto& [key, value] : duplicates.items()) {
      if (value.is_array()) {
        for (const auto& row : value) text += fmt::format("    {}\n", joined(row));
      } else {
        text += fmt::format("  {:<18} {}\n", key, value.is_object() ? joined(value) : plain(value));
      }
    }
  });
  section("keep", "keep_rule", lines);
  section("clusters", "clusters", lines);
  section("nearest kept rows", "nearest_kept", [&](const ordered_json& neighbours) {
    for (const auto& one : neighbours)
      text += fmt::format("  {:.6f}  {}\n", one.at("cosine").get<double>(), plain(one.at("id")));
  });
  return text;
}

}  // namespace quasar::pipeline
