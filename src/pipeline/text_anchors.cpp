#include "pipeline/text_anchors.h"

#include "base/checksum.h"
#include "base/logging.h"
#include "dataset/shard_encoder.h"
#include "encoder/prompts.h"
#include "pipeline/small_anchors.h"

namespace quasar::pipeline {
namespace {

store::AnchorSet embed_pairs(const RunConfig& config, const AnchorSource& source,
                             const encoder::Encoder& encoder) {
  store::AnchorSet set;
  set.name = source.name;
  set.dimension = static_cast<std::size_t>(encoder.dimension());
  set.encoder = dataset::encoder_identity(encoder, config.decode);
  set.recipe = source.recipe_text + "\n# text tower of the same weights, float32; vocabulary " +
               base::sha256_file(config.encoder.vocabulary);
  set.counts = {{"prompt_pairs", static_cast<std::int64_t>(source.good_prompts.size())}};
  std::vector<std::string> texts = source.good_prompts;
  texts.insert(texts.end(), source.bad_prompts.begin(), source.bad_prompts.end());
  const auto vectors = encoder::embed_prompts(config.encoder, encoder.identity().weights_sha256, texts);
  if (vectors.size() != texts.size() * set.dimension) {
    base::fail(base::ExitCode::kInput,
               config.encoder.weights.string() + ": its text tower gives vectors of " +
                   std::to_string(vectors.size() / texts.size()) + " values, its image tower of " +
                   std::to_string(set.dimension) + "; they cannot be compared");
  }
  const auto middle = vectors.begin() + static_cast<std::ptrdiff_t>(vectors.size() / 2);
  set.good.assign(vectors.begin(), middle);
  set.bad.assign(middle, vectors.end());
  return set;
}

}  // namespace

store::AnchorSet build_text_anchors(const RunConfig& config, const AnchorSource& source,
                                    const encoder::Encoder& encoder, const comm::Communicator& comm) {
  return make_on_root(
      config, source,
      [&] {
        auto built = embed_pairs(config, source, encoder);
        base::log_info("anchors {}: {} pairs of prompts, in {}", source.name, source.good_prompts.size(),
                       config.run.anchor_file(source.name).string());
        return built;
      },
      comm);
}

}  // namespace quasar::pipeline
