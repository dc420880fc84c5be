#include "pipeline/vector_anchors.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "base/checksum.h"
#include "base/dataset_name.h"
#include "base/logging.h"
#include "dataset/shard_encoder.h"
#include "pipeline/small_anchors.h"
#include "store/vector_file.h"

namespace quasar::pipeline {
namespace {

using Files = std::vector<std::filesystem::path>;

/// All rows of the files, [n, d].
std::vector<float> rows_of(const AnchorSource& source, const Files& files, std::size_t dimension) {
  std::vector<float> rows;
  for (const auto& path : files) {
    const store::VectorFile file(path);
    if (file.dimension() != dimension)
      base::fail(base::ExitCode::kMismatch,
                 fmt::format("the anchor set \"{}\": {} holds vectors of {} values, the encoder gives {}",
                             source.name, path.string(), file.dimension(), dimension));
    const auto before = rows.size();
    rows.resize(before + file.rows() * dimension);
    file.read(0, file.rows(), std::span(rows).subspan(before));
    for (std::size_t i = before; i < rows.size(); ++i) {
      if (!std::isfinite(rows[i]))
        base::fail(base::ExitCode::kInput, fmt::format("{}: row {} holds a value that is not finite",
                                                       path.string(), (i - before) / dimension + 1));
    }
  }
  return rows;
}

/// Mean of rows [n, d] of equal weight, in double.
std::vector<float> mean_of(const std::vector<float>& rows, std::size_t dimension) {
  std::vector<double> sums(dimension, 0);
  for (std::size_t i = 0; i < rows.size(); ++i) sums[i % dimension] += static_cast<double>(rows[i]);
  std::vector<float> mean(dimension);
  const auto count = static_cast<double>(rows.size() / dimension);
  for (std::size_t j = 0; j < dimension; ++j) mean[j] = static_cast<float>(sums[j] / count);
  return mean;
}

std::string sums_of(const Files& files) {
  std::string text;
  for (const auto& file : files)
    text += " " + base::sha256_file(base::parse_dataset_name(file.string()).file).substr(0, 16);
  return text;
}

}  // namespace

store::AnchorSet read_vector_anchors(const RunConfig& config, const AnchorSource& source,
                                     const encoder::Encoder& encoder) {
  store::AnchorSet set;
  set.name = source.name;
  set.dimension = static_cast<std::size_t>(encoder.dimension());
  set.encoder = dataset::encoder_identity(encoder, config.decode);
  set.recipe = source.recipe_text + "\n# vectors, good" + sums_of(source.good_vectors) + ", bad" +
               sums_of(source.bad_vectors);
  set.good = rows_of(source, source.good_vectors, set.dimension);
  set.bad = rows_of(source, source.bad_vectors, set.dimension);
  set.counts = {{"good", static_cast<std::int64_t>(set.good.size() / set.dimension)},
                {"bad", static_cast<std::int64_t>(set.bad.size() / set.dimension)}};
  if (source.recipe.aggregate.aggregation == anchors::Aggregation::kMean) {
    set.good = mean_of(set.good, set.dimension);
    set.bad = mean_of(set.bad, set.dimension);
  } else if (set.good.size() != set.bad.size()) {
    base::fail(
        base::ExitCode::kInput,
        fmt::format("the anchor set \"{}\": aggregation multi pairs good and bad rows in order, and there "
                    "are {} good and {} bad ones",
                    source.name, set.counts["good"], set.counts["bad"]));
  }
  return set;
}

store::AnchorSet build_vector_anchors(const RunConfig& config, const AnchorSource& source,
                                      const encoder::Encoder& encoder, const comm::Communicator& comm) {
  return make_on_root(
      config, source,
      [&] {
        auto set = read_vector_anchors(config, source, encoder);
        base::log_info("anchors {}: {} good and {} bad vectors, {} pairs, in {}", source.name,
                       set.counts["good"], set.counts["bad"], set.pairs(),
                       config.run.anchor_file(source.name).string());
        return set;
      },
      comm);
}

}  // namespace quasar::pipeline
