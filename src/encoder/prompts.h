// Owns prompts as anchors: texts through the text tower of an encoder's own checkpoint, comparable with its
// images (CLIP-IQA, arXiv 2207.12396).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "encoder/encoder_config.h"

namespace quasar::encoder {

/// Vectors [texts, d] of texts, row-major, by the text tower in the encoder's weights file, computed in
/// float32 on the CPU whatever the encoder's precision and device; texts longer than the tower's context are
/// cut. Unit norm for CoCa, not for CLIP. Throws Error(kConfig) when the architecture has no text tower or no
/// vocabulary is named, Error(kInput) when the file has no text tower or the vocabulary is damaged,
/// Error(kMismatch) when the weights file's digest is no longer `weights_sha256`, that of the images'
/// encoder.
std::vector<float> embed_prompts(const EncoderConfig& config, const std::string& weights_sha256,
                                 std::span<const std::string> texts);

}  // namespace quasar::encoder
