#include "store/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/errors.h"
#include "store/anchor_file.h"
#include "store/provenance.h"
#include "store/score_shard.h"

namespace quasar::store {
namespace {

constexpr std::size_t kRowsShown = 5;

std::string attributes(const h5::File& file) {
  std::string text;
  for (const auto& name : file.attribute_names()) {
    std::string value;
    switch (file.attribute_class(name)) {
      case H5T_STRING:
        value = file.text_attribute(name);
        break;
      case H5T_INTEGER:
        value = std::to_string(file.integer_attribute(name));
        break;
      case H5T_FLOAT:
        value = fmt::format("{}", file.real_attribute(name));
        break;
      default:
        value = "(of another type)";
    }
    // Longer texts (recipes) go below their name.
    const bool lines = value.find('\n') != std::string::npos;
    while (!value.empty() && value.back() == '\n') value.pop_back();
    if (lines) {
      for (std::size_t at = 0; (at = value.find('\n', at)) != std::string::npos; at += 5)
        value.replace(at, 1, "\n    ");
      value = "\n    " + value;
    }
    text += fmt::format("  {:24} {}\n", name, value);
  }
  return text;
}

std::string datasets(const h5::File& file) {
  std::string text;
  for (const auto& name : file.dataset_names()) {
    const auto [rows, columns] = file.shape(name);
    text += columns > 0 ? fmt::format("  {:24} [{}, {}]\n", name, rows, columns)
                        : fmt::format("  {:24} [{}]\n", name, rows);
  }
  return text;
}

std::string rows_of(const std::filesystem::path& path) {
  const EmbeddingShardReader reader(path);
  std::map<base::RowStatus, std::size_t> by_status;
  for (const auto status : reader.read_statuses()) ++by_status[status];
  std::string text = "statuses\n";
  for (const auto& [status, count] : by_status)
    text += fmt::format("  {:24} {}\n", base::status_name(status), count);
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const double label : reader.read_labels()) {
    if (std::isnan(label)) continue;
    low = std::min(low, label);
    high = std::max(high, label);
  }
  if (low <= high) text += fmt::format("labels\n  from {} to {}\n", low, high);
  text += "first rows\n";
  for (const auto& row : reader.read_rows(0, std::min(kRowsShown, reader.size()))) {
    text += fmt::format("  {}  {}x{}  {} bytes  {}{}\n", row.id, row.width, row.height, row.bytes,
                        base::status_name(row.status), row.error.empty() ? "" : ": " + row.error);
  }
  return text;
}

std::string scores_of(const std::filesystem::path& path) {
  const auto shard = read_score_shard(path);
  std::string text = "scores\n";
  for (std::size_t c = 0; c < shard.names.size(); ++c) {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t i = c; i < shard.scores.size(); i += shard.names.size()) {
      if (std::isnan(shard.scores[i])) continue;
      sum += shard.scores[i];
      ++count;
    }
    text += fmt::format("  {:24} {} rows, mean {:.4f}, anchors {}\n", shard.names[c], count,
                        count > 0 ? sum / static_cast<double>(count) : 0,
                        shard.anchor_fingerprints[c].substr(0, 12));
  }
  return text;
}

}  // namespace

std::string inspect(const std::filesystem::path& path) {
  const auto guard = h5::lock();
  const auto file = h5::File::open(path);
  const std::string kind = file.has_attribute("kind") ? file.text_attribute("kind") : "";
  if (!kind.starts_with("quasar ")) {
    base::fail(base::ExitCode::kInput, path.string() + " is an HDF5 file, but none that Quasar wrote");
  }
  std::string text = fmt::format("{}: {}\nattributes\n{}datasets\n{}", path.string(), kind, attributes(file),
                                 datasets(file));
  if (kind == "quasar embedding shard") text += rows_of(path);
  if (kind == "quasar score shard") text += scores_of(path);
  text.pop_back();
  return text;
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace quasar::store
