// Owns the identity of the encoder as shards hold it, and the check that a shard is of the configured one.
#pragma once

#include <filesystem>

#include "base/encoder_identity.h"
#include "encoder/encoder.h"
#include "image/decode_config.h"

namespace quasar::dataset {

/// The encoder's fingerprint as stored, the decode settings that change pixels of whole pictures included.
base::EncoderIdentity encoder_identity(const encoder::Encoder& encoder, const image::DecodeConfig& decode);

/// Throws Error(kMismatch), naming the shard's file, when it was not `configured` that embedded it.
void check_shard_encoder(const std::filesystem::path& shard, const base::EncoderIdentity& found,
                         const base::EncoderIdentity& configured);

}  // namespace quasar::dataset
