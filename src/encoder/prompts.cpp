#include "encoder/prompts.h"

#include "base/errors.h"
#include "encoder/architectures.h"
#include "encoder/checkpoint.h"
#include "encoder/network_factory.h"
#include "encoder/text_tower.h"

namespace quasar::encoder {

std::vector<float> embed_prompts(const EncoderConfig& config, const std::string& weights_sha256,
                                 std::span<const std::string> texts) {
  if (!has_text_tower(config.architecture)) {
    base::fail(base::ExitCode::kConfig, "the encoder " + config.architecture +
                                            " has no text tower; text anchors need a CLIP or CoCa encoder");
  }
  if (config.vocabulary.empty()) {
    base::fail(base::ExitCode::kConfig,
               "encoder.vocabulary is missing: text anchors need CLIP's file bpe_simple_vocab_16e6.txt.gz");
  }
  const text::Tokenizer tokenizer(config.vocabulary, special_tokens(config.architecture));
  TextTowerOptions options = text_options(config.architecture);
  options.heads = config.heads.text;
  const NamedCheckpoint checkpoint = read_checkpoint(config.weights, name_family(config.architecture));
  if (checkpoint.sha256 != weights_sha256) {
    base::fail(base::ExitCode::kMismatch,
               config.weights.string() + " changed while it was in use: its SHA-256 is " + checkpoint.sha256 +
                   ", that of the image encoder's weights " + weights_sha256);
  }
  try {
    return encode_texts(checkpoint.tensors, tokenizer, texts, options);
  } catch (const base::Error& error) {
    base::fail(error.code(), config.weights.string() + ": " + error.what() + checkpoint.advice);
  }
}

}  // namespace quasar::encoder
