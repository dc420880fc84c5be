#include "curation/filter.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "base/errors.h"
#include "base/nearest_word.h"
#include "curation/cell_text.h"
#include "curation/column_name.h"
#include "curation/curation_config.h"

namespace quasar::curation {
namespace {

/// What a row has in a column; nothing where it has no value.
using Value = std::variant<std::monostate, double, std::string_view>;

Value text_value(const std::string& value) {
  return value.empty() ? Value() : Value(std::string_view(value));
}

Value number(double value) {
  return std::isfinite(value) ? Value(value) : Value();
}

/// Sides are unknown where the header was not read.
Value side(double value) {
  return value > 0 ? Value(value) : Value();
}

/// What is known of every row.
struct OwnColumn {
  std::string_view name;
  Value (*read)(const store::RowRecord& row);
};

using Row = const store::RowRecord&;

constexpr std::array<OwnColumn, 13> kOwnColumns{{
    {"width", [](Row row) { return side(row.width); }},
    {"height", [](Row row) { return side(row.height); }},
    {"min_side", [](Row row) { return side(std::min(row.width, row.height)); }},
    {"max_side", [](Row row) { return side(std::max(row.width, row.height)); }},
    {"aspect",
     [](Row row) {
       const double shorter = std::min(row.width, row.height);
       return shorter > 0 ? number(std::max(row.width, row.height) / shorter) : Value();
     }},
    {"bytes", [](Row row) { return number(static_cast<double>(row.bytes)); }},
    {"label", [](Row row) { return number(row.label); }},
    {"deviation", [](Row row) { return number(row.deviation); }},
    {"id", [](Row row) { return text_value(row.id); }},
    {"source", [](Row row) { return text_value(row.source); }},
    {"member", [](Row row) { return text_value(row.member); }},
    {"format", [](Row row) { return text_value(row.format); }},
    {"split", [](Row row) { return text_value(row.split); }},
}};

const OwnColumn* own_column(std::string_view name) {
  const auto* const found = std::find_if(kOwnColumns.begin(), kOwnColumns.end(),
                                         [&](const OwnColumn& column) { return column.name == name; });
  return found == kOwnColumns.end() ? nullptr : found;
}

/// The field that a column means, where it is no other column.
constexpr std::string_view kFieldPrefix = "fields.";

std::string field_of(const std::string& column) {
  return column.starts_with(kFieldPrefix) ? column.substr(kFieldPrefix.size()) : column;
}

bool is_score(std::string_view column, std::span<const std::string> sets) {
  return column == kCombinedColumn || std::find(sets.begin(), sets.end(), column) != sets.end();
}

/// A whole text as a number, as Python's and spreadsheets' texts have them.
std::optional<double> parsed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Takes time in proportion to the text, whatever the expression: captions are other people's.
std::unique_ptr<re2::RE2> compiled(const std::string& expression) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  return std::make_unique<re2::RE2>(expression, options);
}

struct Preset {
  std::string_view name;
  std::vector<FilterRule> rules;
};

/// Filters that others publish.
const std::vector<Preset>& presets() {
  static const std::vector<Preset> table = {
      // Gadre et al. 2023, section 3.2 and apply_filter.py: of the basic filter what concerns the picture.
      {"datacomp-basic",
       {{.name = "datacomp-basic.min_side", .column = "min_side", .at_least = 200.0},
        {.name = "datacomp-basic.aspect", .column = "aspect", .at_most = 3.0}}},
      // Schuhmann et al. 2022: similarity of LAION-2B-en; watermarks and safety as LAION-Aesthetics cuts.
      {"laion",
       {{.name = "laion.similarity", .column = "similarity", .at_least = 0.28},
        {.name = "laion.punsafe", .column = "punsafe", .at_most = 0.5},
        {.name = "laion.pwatermark", .column = "pwatermark", .at_most = 0.8}}},
  };
  return table;
}

void read_presets(const base::ConfigNode& node, std::vector<FilterRule>& rules) {
  for (const auto& element : node.elements()) {
    const auto name = element.as<std::string>();
    const auto& table = presets();
    const auto found =
        std::find_if(table.begin(), table.end(), [&](const Preset& preset) { return preset.name == name; });
    if (found == table.end()) {
      std::vector<std::string> names;
      std::string listed;
      for (const auto& preset : table) {
        names.emplace_back(preset.name);
        listed += (listed.empty() ? "" : ", ") + names.back();
      }
      const auto near = base::nearest_word(name, names);
      element.fail("there is no preset '" + name + "'; there are " + listed +
                   (near ? "; did you mean '" + *near + "'?" : ""));
    }
    for (auto rule : found->rules) {
      rule.where = element.where() + ": " + element.key();
      rules.push_back(std::move(rule));
    }
  }
}

FilterRule rule_from_yaml(const std::string& name, const base::ConfigNode& node) {
  FilterRule rule;
  rule.name = name;
  rule.column = node.require<std::string>("column");
  rule.where = node.child("column").where() + ": " + node.child("column").key();
  const auto bound = [&](const char* key) -> std::optional<double> {
    if (!node.has(key)) return std::nullopt;
    const auto value = node.child(key).as<double>();
    if (!std::isfinite(value)) node.child(key).fail("must be a finite number");
    return value;
  };
  rule.at_least = bound("at_least");
  rule.at_most = bound("at_most");
  if (node.has("one_of")) {
    for (const auto& element : node.child("one_of").elements())
      rule.one_of.push_back(element.as<std::string>());
    if (rule.one_of.empty()) node.child("one_of").fail("names no value, so that every row would be dropped");
  }
  rule.matches = node.get<std::string>("matches", "");
  rule.keep_missing = node.get_enum<bool>("missing", false, {{"keep", true}, {"drop", false}});
  node.finish();
  if (!rule.at_least && !rule.at_most && rule.one_of.empty() && rule.matches.empty())
    node.fail("asks nothing; give at_least, at_most, one_of or matches");
  if (rule.at_least && rule.at_most && *rule.at_least > *rule.at_most)
    node.fail("at_least is more than at_most, so that every row would be dropped");
  if (!rule.matches.empty()) {
    const auto pattern = compiled(rule.matches);
    if (!pattern->ok()) node.child("matches").fail("is no regular expression of RE2: " + pattern->error());
  }
  return rule;
}

}  // namespace

std::vector<FilterRule> filters_from_yaml(const base::ConfigNode& curation) {
  std::vector<FilterRule> rules;
  if (curation.has("filter_presets")) read_presets(curation.child("filter_presets"), rules);
  if (curation.has("filters")) {
    for (const auto& [name, node] : curation.child("filters").entries())
      rules.push_back(rule_from_yaml(name, node));
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto same = [&](const FilterRule& rule) { return rule.name == rules[i].name; };
    if (std::any_of(rules.begin(), rules.begin() + static_cast<std::ptrdiff_t>(i), same))
      base::fail(base::ExitCode::kConfig, rules[i].where + ": two filters are named '" + rules[i].name + "'");
  }
  return rules;
}

bool may_need_fields(std::span<const FilterRule> filters, const std::vector<std::string>& sets) {
  return std::ranges::any_of(filters, [&](const FilterRule& rule) {
    return !is_score(rule.column, sets) && own_column(rule.column) == nullptr;
  });
}

void check_filter_columns(std::span<const FilterRule> filters, const std::vector<std::string>& sets,
                          const std::set<std::string>& fields) {
  for (const auto& rule : filters) {
    if (is_score(rule.column, sets) || own_column(rule.column) != nullptr ||
        fields.contains(field_of(rule.column)))
      continue;
    std::vector<std::string> candidates(fields.begin(), fields.end());
    candidates.insert(candidates.end(), sets.begin(), sets.end());
    candidates.emplace_back(kCombinedColumn);
    for (const auto& own : kOwnColumns) candidates.emplace_back(own.name);
    const auto near = base::nearest_word(rule.column, candidates);
    std::string listed;
    constexpr std::size_t kListed = 30;
    for (const auto& field : fields) {
      if (listed.size() > kListed * 10) {
        listed += ", ...";
        break;
      }
      listed += (listed.empty() ? "" : ", ") + field;
    }
    base::fail(
        base::ExitCode::kConfig,
        fmt::format("{}: no row has a column '{}'; {}{}", rule.where, rule.column,
                    fields.empty() ? "the corpus has no fields" : "the corpus has the fields " + listed,
                    near ? "; did you mean '" + *near + "'?" : ""));
  }
}

struct Filters::State {
  /// A rule with where its value is found.
  struct Compiled {
    FilterRule rule;
    std::optional<std::size_t> score;
    const OwnColumn* own = nullptr;
    std::string field;
    std::unique_ptr<re2::RE2> pattern;  ///< Null: none.
  };
  std::vector<Compiled> filters;
  std::vector<FilterCount> counts;
  bool wants_fields = false;
  nlohmann::json fields;  ///< Of the row at hand.
  std::string scratch;    ///< Of a field that is no text.
  std::string number_text;

  void read_fields(const store::RowRecord& row) {
    if (wants_fields)
      fields = row.fields.empty() ? nlohmann::json() : nlohmann::json::parse(row.fields, nullptr, false);
  }
  Value value_of(const Compiled& filter, const store::RowRecord& row, std::span<const float> scores);
  /// `value` is what the row has, a text or a number; `number` what bounds compare with, where they do.
  bool passes(const Compiled& filter, const Value& value, const Value& number);
};

Value Filters::State::value_of(const Compiled& filter, const store::RowRecord& row,
                               std::span<const float> scores) {
  if (filter.score) return number(static_cast<double>(scores[*filter.score]));
  if (filter.own != nullptr) return filter.own->read(row);
  if (!fields.is_object()) return {};
  const auto found = fields.find(filter.field);
  if (found == fields.end() || found->is_null()) return {};
  if (const auto* held = found->get_ptr<const std::string*>()) return text_value(*held);
  scratch = found->dump();
  return std::string_view(scratch);
}

bool Filters::State::passes(const Compiled& filter, const Value& value, const Value& number) {
  const auto& rule = filter.rule;
  if (rule.at_least || rule.at_most) {
    const double held = std::get<double>(number);
    // Scores as float32, so that one that reads like the bound in the manifest meets it.
    const auto bound = [&](double given) {
      return filter.score ? static_cast<double>(static_cast<float>(given)) : given;
    };
    if (rule.at_least && held < bound(*rule.at_least)) return false;
    if (rule.at_most && held > bound(*rule.at_most)) return false;
  }
  if (rule.one_of.empty() && !filter.pattern) return true;
  std::string_view held;
  if (const auto* plain = std::get_if<double>(&value)) {
    number_text = fmt::format("{}", *plain);
    held = number_text;
  } else {
    held = std::get<std::string_view>(value);
  }
  if (!rule.one_of.empty() && std::find(rule.one_of.begin(), rule.one_of.end(), held) == rule.one_of.end())
    return false;
  return !filter.pattern ||
         re2::RE2::PartialMatch(re2::StringPiece(held.data(), held.size()), *filter.pattern);
}

Filters::Filters(std::span<const FilterRule> rules, std::span<const std::string> scores)
    : state_(std::make_unique<State>()) {
  for (const auto& rule : rules) {
    State::Compiled filter{.rule = rule, .score = {}, .field = {}, .pattern = {}};
    // The combination of a single score is that score.
    const auto found = rule.column == kCombinedColumn && scores.size() == 1
                           ? scores.begin()
                           : std::find(scores.begin(), scores.end(), rule.column);
    if (found != scores.end()) {
      filter.score = static_cast<std::size_t>(found - scores.begin());
    } else if (filter.own = own_column(rule.column); filter.own == nullptr) {
      filter.field = field_of(rule.column);
      state_->wants_fields = true;
    }
    if (!rule.matches.empty()) filter.pattern = compiled(rule.matches);
    if (filter.pattern && !filter.pattern->ok())
      base::fail(base::ExitCode::kConfig, rule.where + ": " + filter.pattern->error());
    state_->filters.push_back(std::move(filter));
  }
  state_->counts.resize(rules.size());
}

Filters::~Filters() = default;
Filters::Filters(Filters&&) noexcept = default;

std::vector<FilterCount>& Filters::counts() {
  return state_->counts;
}

std::string Filters::value(std::size_t filter, const store::RowRecord& row, std::span<const float> scores) {
  auto& state = *state_;
  const auto& compiled = state.filters.at(filter);
  if (compiled.score && scores.empty()) return "";
  state.read_fields(row);
  const auto value = state.value_of(compiled, row, scores);
  if (const auto* number = std::get_if<double>(&value))
    return compiled.score ? shortest(static_cast<float>(*number)) : shortest(*number);
  const auto* text = std::get_if<std::string_view>(&value);
  return text == nullptr ? std::string() : std::string(*text);
}

std::optional<FilterFault> Filters::apply(const store::RowRecord& row, std::span<const float> scores) {
  auto& state = *state_;
  state.read_fields(row);
  std::optional<FilterFault> fault;
  for (std::size_t i = 0; i < state.filters.size(); ++i) {
    const auto& filter = state.filters[i];
    const Value value = state.value_of(filter, row, scores);
    Value number = value;
    if (filter.rule.at_least || filter.rule.at_most) {
      // A text that is no number is none.
      if (const auto* held = std::get_if<std::string_view>(&value)) {
        const auto converted = parsed(*held);
        number = converted ? Value(*converted) : Value();
      }
    }
    const bool missing = number.index() == 0;
    if (missing) ++state.counts[i].missing;
    if (missing ? filter.rule.keep_missing : state.passes(filter, value, number)) continue;
    ++state.counts[i].failed;
    if (!fault) fault = FilterFault{i, missing};
  }
  return fault;
}

std::string filter_reason(const FilterRule& rule, bool missing) {
  return "filter: " + rule.name + (missing ? " (no value)" : "");
}

}  // namespace quasar::curation
