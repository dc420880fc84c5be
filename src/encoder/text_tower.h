// Internal to the module: the text towers of CLIP and CoCa, which turn prompts into vectors that compare with
// images.
#pragma once

#include <torch/types.h>

#include <span>
#include <string>
#include <vector>

#include "encoder/architectures.h"
#include "encoder/transformer.h"
#include "text/tokenizer.h"

namespace quasar::encoder {

/// How that preset's tokenizer spells the special tokens. Throws as text_options().
text::SpecialTokens special_tokens(const std::string& preset);

/// A text tower with its weights; CoCa's is recognised by its names ("text."). Thread-safe.
class TextTower {
 public:
  /// The visual tower's tensors are ignored. Throws Error(kInput) listing all missing and mis-shaped tensors.
  explicit TextTower(const TensorMap& tensors, const TextTowerOptions& options = {});

  /// Token ids [n, context_length()], int64 -> vectors [n, d], float32; CoCa's have unit norm, CLIP's have
  /// not. Throws Error(kMismatch) for another number of columns or an id outside the vocabulary.
  torch::Tensor forward(const torch::Tensor& ids) const;
  /// Tokens per text that forward() takes.
  int context_length() const { return context_; }
  int dimension() const { return static_cast<int>(projection_.size(0)); }

 private:
  torch::Tensor forward_clip(const torch::Tensor& ids) const;
  torch::Tensor forward_coca(const torch::Tensor& ids) const;

  int context_ = 0;
  BlockSizes sizes_;
  torch::Tensor token_embedding_;  ///< [vocabulary, width], in its stored type
  torch::Tensor position_rows_;    ///< [rows, width]
  torch::Tensor class_token_;      ///< [width]; CoCa only
  std::vector<Block> blocks_;
  LayerNorm norm_;
  torch::Tensor projection_;  ///< [d, width]
  torch::Tensor causal_mask_;
};

/// Vectors [n, d] of texts, row-major. Texts too long for the tower are cut as the reference cuts them.
std::vector<float> encode_texts(const TensorMap& tensors, const text::Tokenizer& tokenizer,
                                std::span<const std::string> texts, const TextTowerOptions& options = {});

}  // namespace quasar::encoder
