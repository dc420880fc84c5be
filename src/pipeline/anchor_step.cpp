#include "pipeline/anchor_step.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/activity.h"
#include "base/errors.h"
#include "pipeline/anchor_check.h"
#include "pipeline/build_anchors.h"
#include "pipeline/text_anchors.h"
#include "pipeline/vector_anchors.h"

namespace quasar::pipeline {

bool builds_anchors(const RunConfig& config) {
  return std::any_of(config.anchors.begin(), config.anchors.end(),
                     [](const auto& source) { return source.file.empty(); });
}

std::vector<store::AnchorSet> anchor_step(const RunConfig& config, encoder::Encoder* encoder,
                                          const comm::Communicator& comm) {
  const base::Phase phase("anchors");
  QUASAR_CHECK(encoder != nullptr || !builds_anchors(config));
  std::vector<store::AnchorSet> sets;
  for (const auto& source : config.anchors) {
    if (source.from_prompts()) {
      sets.push_back(build_text_anchors(config, source, *encoder, comm));
    } else if (source.from_vectors()) {
      sets.push_back(build_vector_anchors(config, source, *encoder, comm));
    } else if (source.file.empty()) {
      sets.push_back(build_anchors(config, source, *encoder, comm));
    } else {
      comm.together([&] { sets.push_back(store::read_anchor_file(source.file)); });
      sets.back().name = source.name;
    }
    const auto place = source.file.empty() ? config.run.anchor_file(source.name) : source.file;
    check_anchor_directions(sets.back(), fmt::format("\"{}\" in {}", source.name, place.string()));
  }
  return sets;
}

}  // namespace quasar::pipeline
