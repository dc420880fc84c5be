#include "corpus/benchmarks/benchmark_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/nearest_word.h"
#include "corpus/benchmarks/benchmark.h"
#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"
#include "corpus/sources/stamps.h"

namespace quasar::corpus {
namespace {

/// The word for every split.
constexpr const char* kAll = "all";
/// Written for one reason; the rest is only counted.
constexpr std::uint64_t kMostWarnings = 5;

const Benchmark& benchmark_of(const SourceConfig& source) {
  const auto* const set = find_benchmark(source.benchmark);
  if (set == nullptr)
    base::fail(base::ExitCode::kInternal, "there is no benchmark \"" + source.benchmark + "\"");
  return *set;
}

const BenchmarkVariant& variant_of(const Benchmark& set, const std::string& name) {
  const auto found = std::find_if(set.variants.begin(), set.variants.end(),
                                  [&](const BenchmarkVariant& variant) { return variant.name == name; });
  return found == set.variants.end() ? set.variants.front() : *found;
}

/// The split that is asked for; empty for all.
std::string wanted_split(const Benchmark& set, const SourceConfig& source) {
  if (source.split == kAll) return "";
  return source.split.empty() ? set.default_split : source.split;
}

/// Makes the items of a data set's rows, and counts what is not as it should be.
class Listing {
 public:
  Listing(const SourceConfig& source, const Benchmark& set, const BenchmarkFiles& files, ItemSink& sink,
          SourceCounts& counts)
      : set_(set),
        files_(files),
        sink_(sink),
        counts_(counts),
        with_references_(set.always_lists_references || source.references) {
    published_.name = set.name;
    published_.split = wanted_split(set, source);
    published_.published = set.published;
    for (const auto& split : variant_of(set, source.variant).splits)
      if (split.name == published_.split) published_.published = split.published;
    if (with_references_) published_.published += set.references;
    published_.label = set.label;
  }

  void add(BenchmarkRow row) {
    ++rows_;
    if (!published_.split.empty() && row.split != published_.split) {
      ++counts_.left_out["pictures of other splits than " + published_.split];
      return;
    }
    if (!seen_.insert(row.picture.path).second) {
      note(counts_.left_out, "rows that name a picture again", row.place,
           escaped_text(row.picture.path) + " stands there a second time; its first row counts");
      return;
    }
    if (row.reference) add_reference(*row.reference, row);
    Item item = item_of(row.picture, row.place);
    if (!row.picture.there) ++pictures_missing_;
    ++pictures_;
    item.label = label_of(row);
    item.deviation = deviation_of(row);
    item.split = std::move(row.split);
    if (row.reference) item.reference = escaped_text(row.reference->path);
    item.fields = std::move(row.fields);
    put(std::move(item));
  }

  /// Throws Error(kInput) where no picture is there at all.
  void finish() {
    if (rows_ == 0) files_.fail("its label files hold no row");
    if (pictures_ == 0) {
      files_.fail("no row is of the split " + published_.split + ", of which there should be " +
                  std::to_string(published_.published));
    }
    if (pictures_missing_ == pictures_) {
      files_.fail(fmt::format("none of its {} pictures is there; looked for {}{}", pictures_, first_missing_,
                              set_.remark.empty() ? "" : " (" + set_.remark + ")"));
    }
    base::log_info("{}", to_text(published_));
    if (published_.listed != published_.published) {
      base::log_warning("{}: {} pictures are listed, and {} were published", path_to_text(files_.root()),
                        published_.listed, published_.published);
    }
    sink_.describe_set(published_);
  }

 private:
  void note(Counts& counts, const std::string& reason, const std::string& place, const std::string& message) {
    ++counts[reason];
    if (++warnings_[reason] <= kMostWarnings) base::log_warning("{}: {}", place, message);
  }

  Item item_of(const Picture& picture, const std::string& place) {
    Item item;
    item.id = escaped_text(picture.path);
    item.source = path_to_text(files_.root() / picture.path);
    if (!picture.there) {
      ++published_.missing;
      if (first_missing_.empty()) first_missing_ = escaped_text(picture.path);
      note(counts_.noted, "pictures that are missing", place, "there is no " + item.source);
    }
    return item;
  }

  void put(Item item) {
    ++published_.listed;
    sink_.add(std::move(item));
  }

  void add_reference(const Picture& reference, const BenchmarkRow& row) {
    if (!references_.insert(reference.path).second) return;
    if (!with_references_) {
      if (!reference.there) {
        note(counts_.noted, "reference pictures that are missing", row.place,
             "there is no " + path_to_text(files_.root() / reference.path));
      }
      return;
    }
    if (!seen_.insert(reference.path).second) return;
    Item item = item_of(reference, row.place);
    item.split = row.split;
    put(std::move(item));
  }

  std::optional<double> label_of(const BenchmarkRow& row) {
    if (!set_.label) return std::nullopt;
    if (!row.label) {
      note(counts_.left_out, "labels that are missing", row.place, "there is no label; the row goes without");
      return std::nullopt;
    }
    if (!std::isfinite(*row.label)) {
      note(counts_.left_out, no_number("label"), row.place,
           "the label is no finite number; the row goes without");
      return std::nullopt;
    }
    const auto& scale = *set_.label;
    if ((scale.low && *row.label < *scale.low) || (scale.high && *row.label > *scale.high)) {
      note(counts_.left_out, fmt::format("labels outside {} to {}", *scale.low, *scale.high), row.place,
           fmt::format("the label {} is outside {} to {}; the row goes without", *row.label, *scale.low,
                       *scale.high));
      return std::nullopt;
    }
    return row.label;
  }

  std::optional<double> deviation_of(const BenchmarkRow& row) {
    if (!row.deviation) return std::nullopt;
    if (!std::isfinite(*row.deviation) || *row.deviation < 0) {
      note(counts_.left_out, "deviations that are no finite number from 0 on", row.place,
           "the deviation is no finite number from 0 on; the row goes without");
      return std::nullopt;
    }
    return row.deviation;
  }

  const Benchmark& set_;
  const BenchmarkFiles& files_;
  ItemSink& sink_;
  SourceCounts& counts_;
  const bool with_references_;
  PublishedSet published_;
  std::uint64_t rows_ = 0;
  std::uint64_t pictures_ = 0;
  std::uint64_t pictures_missing_ = 0;
  std::string first_missing_;
  std::unordered_set<std::string> seen_;
  std::unordered_set<std::string> references_;
  Counts warnings_;
};

class BenchmarkSource final : public Source {
 public:
  explicit BenchmarkSource(SourceConfig source) : source_(std::move(source)) {}

  std::string list(ItemSink& sink, SourceCounts& counts) const override {
    const Benchmark& set = benchmark_of(source_);
    BenchmarkFiles files(source_.path, set.title);
    SourceCounts own;
    Listing listing(source_, set, files, sink, own);
    read(files, own, [&](BenchmarkRow row) { listing.add(std::move(row)); });
    listing.finish();
    counts += own;
    return state_of(files);
  }

  std::string state() const override {
    std::error_code error;
    if (!std::filesystem::exists(source_.path, error)) return "";
    BenchmarkFiles files(source_.path, benchmark_of(source_).title, LookFor::kLabelsAlone);
    SourceCounts dropped;
    read(files, dropped, [](const BenchmarkRow&) {});
    return state_of(files);
  }

  std::string describe_change(const std::string& before, const std::string& now) const override {
    const auto old_state = nlohmann::json::parse(before, nullptr, false);
    const auto new_state = nlohmann::json::parse(now, nullptr, false);
    if (!old_state.is_object() || !old_state.contains("labels") || !new_state.contains("labels"))
      return kOtherKind;
    for (const auto& [name, checksum] : old_state["labels"].items()) {
      if (!new_state["labels"].contains(name)) return "its label file " + name + " is gone";
      if (new_state["labels"][name] != checksum)
        return "the content of its label file " + name + " has changed";
    }
    return "it has further label files";
  }

 private:
  void read(BenchmarkFiles& files, SourceCounts& counts, const TakeRow& take) const {
    const Benchmark& set = benchmark_of(source_);
    set.read(files, variant_of(set, source_.variant).name, take, counts);
  }

  /// What the labels were read from, by content.
  static std::string state_of(const BenchmarkFiles& files) {
    nlohmann::json labels = nlohmann::json::object();
    Stamps stamps;
    stamps.add(files.root());
    for (const auto& name : files.label_files_read()) {
      stamps.add((files.root() / name).parent_path());
      stamps.add(files.root() / name);
      labels[escaped_text(name)] = base::sha256_file(files.root() / name);
    }
    nlohmann::json state = {{"labels", labels}};
    stamps.put_into(state);
    return state.dump();
  }

  SourceConfig source_;
};

/// The value of a key that must be one of `names`.
std::string one_of(const base::ConfigNode& node, const std::vector<std::string>& names, const char* what,
                   const std::string& remark) {
  const auto value = node.as<std::string>();
  if (std::find(names.begin(), names.end(), value) != names.end()) return value;
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  node.fail(fmt::format("there is no {} \"{}\"; there are: {}{}{}", what, escaped_text(value), list,
                        base::did_you_mean(value, names), remark.empty() ? "" : " (" + remark + ")"));
}

void read(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
          SourceConfig& source) {
  std::vector<std::string> names;
  for (const auto& set : benchmarks()) names.push_back(set.name);
  source.benchmark = one_of(place, names, "benchmark", "");
  const Benchmark& set = benchmark_of(source);
  if (!node.has("root")) {
    node.fail("\"root\" is missing: the folder of " + set.title + " as its authors ship it");
  }
  source.path = source_path(node.child("root"), PathKind::kFolder, presence);
  if (node.has("variant")) {
    const auto child = node.child("variant");
    std::vector<std::string> variants;
    for (const auto& variant : set.variants) variants.push_back(variant.name);
    if (variants.front().empty()) child.fail(set.title + " has no variants");
    source.variant = one_of(child, variants, "variant", "");
  }
  if (node.has("split")) {
    std::vector<std::string> splits = {kAll};
    for (const auto& split : variant_of(set, source.variant).splits) splits.push_back(split.name);
    if (splits.size() == 1) node.child("split").fail(set.title + " is published without splits");
    source.split = one_of(node.child("split"), splits, "split", set.remark);
  }
  source.references = node.get<bool>("references", false);
  if (source.references && set.references == 0)
    node.child("references").fail(set.title + " has no reference pictures");
}

}  // namespace

SourceType benchmark_type() {
  return {SourceKind::kBenchmark, "benchmark", read,
          [](const SourceConfig& source) {
            return SourceText(source, "benchmark").benchmark().path().name().text();
          },
          [](const SourceConfig& source) -> std::unique_ptr<Source> {
            return std::make_unique<BenchmarkSource>(source);
          }};
}

}  // namespace quasar::corpus
