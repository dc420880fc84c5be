#include "dataset/shard_encoder.h"

#include <fmt/format.h>

#include "base/errors.h"

namespace quasar::dataset {

base::EncoderIdentity encoder_identity(const encoder::Encoder& encoder, const image::DecodeConfig& decode) {
  auto identity = encoder.identity();
  // Whether a part of a picture will do is a question of which pictures have embeddings, not of what these
  // mean: they compare with those of whole pictures.
  identity.preprocessing += ", " + image::describe_pixels(decode);
  return identity;
}

void check_shard_encoder(const std::filesystem::path& shard, const base::EncoderIdentity& found,
                         const base::EncoderIdentity& configured) {
  if (found == configured) return;
  base::fail(base::ExitCode::kMismatch,
             fmt::format("{} was embedded by another encoder ({}) than the configured one ({}); use another "
                         "run directory, or the encoder of this one",
                         shard.string(), found.describe(), configured.describe()));
}

}  // namespace quasar::dataset
