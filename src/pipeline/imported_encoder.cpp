#include "pipeline/imported_encoder.h"

#include "base/checksum.h"
#include "base/errors.h"

namespace quasar::pipeline {

ImportedEncoder::ImportedEncoder(const encoder::EncoderConfig& config)
    : vectors_(config.vectors, config.ids) {
  identity_.architecture = "imported: " + config.name;
  identity_.weights_sha256 = base::sha256_hex(config.name);
  identity_.preprocessing = "as imported";
  identity_.dtype = "float32";
}

void ImportedEncoder::encode(const encoder::ImageBatch& /*batch*/, std::span<float> /*embeddings*/) {
  base::fail(base::ExitCode::kConfig,
             "the embeddings are imported vectors; no picture can be encoded with them");
}

}  // namespace quasar::pipeline
