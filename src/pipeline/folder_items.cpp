#include "pipeline/folder_items.h"

#include <algorithm>

#include "corpus/plan.h"

namespace quasar::pipeline {

std::vector<corpus::Item> items_of_folder(const std::filesystem::path& folder) {
  corpus::CorpusConfig config;
  corpus::SourceConfig source;
  source.kind = corpus::SourceKind::kDirectory;
  source.path = std::filesystem::absolute(folder);
  config.sources.push_back(source);
  return corpus::Plan::make(config).read_items();
}

std::vector<std::size_t> spread_evenly(std::size_t n, int wanted) {
  const auto count = std::min(n, static_cast<std::size_t>(wanted));
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < count; ++i) places.push_back(i * n / count);
  return places;
}

}  // namespace quasar::pipeline
