#include "corpus/corpus_config.h"

#include <fmt/format.h>

#include "base/errors.h"
#include "corpus/benchmarks/benchmark.h"
#include "corpus/sources/source.h"

namespace quasar::corpus {
namespace {

constexpr int kMaxShardSize = 1'000'000;

SourceConfig source_from_yaml(const base::ConfigNode& node, SourcePresence presence) {
  std::string names;
  const SourceType* chosen = nullptr;
  int given = 0;
  const auto types = source_types();
  for (const auto& type : types) {
    names += fmt::format("{}\"{}\"", names.empty() ? "" : &type == &types.back() ? " and " : ", ", type.key);
    if (!node.has(type.key)) continue;
    ++given;
    chosen = &type;
  }
  if (given == 0) {
    // A misspelt key is the likelier cause than a missing one.
    node.finish();
  }
  if (given > 1) {
    node.fail("more than one of " + names +
              " is given; to put one in the place of a configuration's, replace the section: --set "
              "'corpus={list: FILE}'; to take several together, list them under \"sources\"");
  }
  if (given != 1) node.fail("give one of " + names + " per source (or \"sources\")");
  SourceConfig source;
  source.kind = chosen->kind;
  source.name = node.get<std::string>("name", "");
  chosen->read(node, node.child(chosen->key), presence, source);
  return source;
}

}  // namespace

const std::vector<std::string>& default_suffixes() {
  static const std::vector<std::string> suffixes = {".jpg", ".jpeg", ".jpe", ".jfif", ".png",  ".webp",
                                                    ".tif", ".tiff", ".gif", ".heic", ".heif", ".avif"};
  return suffixes;
}

CorpusConfig corpus_config_from_yaml(const base::ConfigNode& node, SourcePresence presence) {
  CorpusConfig config;
  if (!node.is_map()) node.fail("the images are described by a map, such as {directory: photos}");
  config.shard_size = node.get_in<int>("shard_size", config.shard_size, 1, kMaxShardSize);
  if (node.has("sources")) {
    for (const auto& element : node.child("sources").elements()) {
      if (!element.is_map()) element.fail("a source is a map, such as {directory: photos}");
      config.sources.push_back(source_from_yaml(element, presence));
      element.finish();
    }
    if (config.sources.empty()) node.child("sources").fail("at least one source is needed");
  } else {
    config.sources.push_back(source_from_yaml(node, presence));
  }
  node.finish();
  for (std::size_t i = 0; i < config.sources.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (describe(config.sources[i]) == describe(config.sources[j])) {
        node.child("sources").elements()[i].fail("this source is in the list already");
      }
    }
  }
  return config;
}

bool has_references(const SourceConfig& source) {
  const auto* const set = find_benchmark(source.benchmark);
  return source.kind == SourceKind::kBenchmark && set != nullptr && set->references > 0;
}

std::string describe(const SourceConfig& source) {
  return source_type(source.kind).describe(source);
}

}  // namespace quasar::corpus
