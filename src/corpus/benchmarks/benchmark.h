// Owns the interface of published data sets, and the table of them all: a further one is a function that
// reads its authors' files, and a line in that table.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "corpus/benchmarks/benchmark_files.h"
#include "corpus/published_set.h"
#include "corpus/sources/source.h"

namespace quasar::corpus {

/// One labelled picture, as the authors' files have it.
struct BenchmarkRow {
  std::string place;  ///< File and line of its label, for messages.
  Picture picture;
  std::optional<Picture> reference;
  std::optional<double> label;      ///< NaN: what stands there is no finite number.
  std::optional<double> deviation;  ///< Likewise.
  std::string split;
  /// kind, level, theme, ...: what results can be grouped by.
  std::vector<std::pair<std::string, std::string>> fields;
};

using TakeRow = std::function<void(BenchmarkRow row)>;

struct PublishedSplit {
  std::string name;
  std::uint64_t published = 0;
};

/// One of several ways in which a data set is published: another size of its pictures, another division.
struct BenchmarkVariant {
  std::string name;
  std::vector<PublishedSplit> splits;
};

struct Benchmark {
  std::string name;              ///< In a configuration: "koniq10k".
  std::string title;             ///< As its authors write it.
  std::uint64_t published = 0;   ///< Rows, all splits together, without references.
  std::uint64_t references = 0;  ///< Pristine pictures; 0: it has none.
  /// Whether the references are rows always, not only when asked for: anchor data.
  bool always_lists_references = false;
  std::optional<LabelScale> label;
  std::vector<BenchmarkVariant> variants;  ///< At least one; the first is the default.
  std::string default_split;               ///< Empty: all.
  std::string remark;  ///< Said where a split is not known, or no picture is there: what is often mistaken.
  /// Gives every row of a variant to `take`, in an order that is always the same. Throws Error(kInput).
  void (*read)(BenchmarkFiles& files, const std::string& variant, const TakeRow& take, SourceCounts& counts);
};

/// All of them.
const std::vector<Benchmark>& benchmarks();
/// The benchmark of a name; null where there is none.
const Benchmark* find_benchmark(std::string_view name);

}  // namespace quasar::corpus
