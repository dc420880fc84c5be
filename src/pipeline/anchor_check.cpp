#include "pipeline/anchor_check.h"

#include <fmt/format.h>

#include "anchors/aggregate.h"
#include "base/errors.h"
#include "dataset/shard_encoder.h"
#include "pipeline/vector_anchors.h"

namespace quasar::pipeline {

void check_anchor_encoder(const store::AnchorSet& set, const std::string& which,
                          const base::EncoderIdentity& encoder, int dimension, const std::string& whose,
                          const std::string& remedy) {
  if (set.encoder == encoder && set.dimension == static_cast<std::size_t>(dimension)) return;
  base::fail(base::ExitCode::kMismatch,
             fmt::format("the anchor set {} belongs to another encoder ({}; {} dimensions) than {} ({}; {} "
                         "dimensions): scores between them would mean nothing. {}",
                         which, set.encoder.describe(), set.dimension, whose, encoder.describe(), dimension,
                         remedy));
}

void check_anchor_directions(const store::AnchorSet& set, const std::string& which) {
  const auto check = [&](const char* side, const std::vector<float>& centroids) {
    try {
      anchors::normalised(centroids, set.dimension);
    } catch (const base::Error& error) {
      base::fail(error.code(),
                 fmt::format("the {} side of the anchor set {}: {}; build it anew from pictures "
                             "that have embeddings, or configure another",
                             side, which, error.what()));
    }
  };
  check("good", set.good);
  check("bad", set.bad);
}

void check_anchor_files(const RunConfig& config, const encoder::Encoder& encoder,
                        const comm::Communicator& comm) {
  comm.on_root([&] {
    const auto ours = dataset::encoder_identity(encoder, config.decode);
    for (const auto& source : config.anchors) {
      if (source.from_vectors()) {
        check_anchor_directions(read_vector_anchors(config, source, encoder),
                                fmt::format("\"{}\"", source.name));
      }
      if (source.file.empty()) continue;
      const auto set = store::read_anchor_file(source.file);
      const auto which = fmt::format("\"{}\" in {}", source.name, source.file.string());
      check_anchor_directions(set, which);
      check_anchor_encoder(set, which, ours, encoder.dimension(), "the configuration's",
                           "Rebuild the anchors with this encoder, or configure the anchors'.");
    }
  });
}

}  // namespace quasar::pipeline
