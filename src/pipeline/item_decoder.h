// Owns what is done to one image's bytes before the encoder sees them: decoding, the degradation that an item
// may stand for, resampling. The embedding loop and the probe that tries a suspected image alone share it.
#pragma once

#include <cstddef>
#include <span>

#include "base/input_spec.h"
#include "corpus/item.h"
#include "image/decode.h"
#include "image/decode_config.h"

namespace quasar::pipeline {

/// The item's picture at the encoder's input size, or why there is none. Thread-safe.
///
/// For tests only: the environment variable QUASAR_TEST_POISON, "abort:ID", "kill:ID" or "spin:ID", makes the
/// image of this id end the process by a crash or from outside, or never end, as an image that hits a bug of
/// a decoder, or the limit of memory, does. "rank-abort:ID" and "rank-kill:ID" do so unless it is decoded
/// alone.
image::Prepared decode_item(const corpus::Item& item, std::span<const std::byte> bytes,
                            const image::DecodeConfig& config, const base::InputSpec& spec);

/// Says that this process tries images alone, which "rank-..." above spares.
void decode_alone();

/// Seconds after which a decode counts as hung: decode.timeout_s, at which libvips is asked to stop, and a
/// margin for images that take it seriously late.
double hung_after_seconds(const image::DecodeConfig& config);

}  // namespace quasar::pipeline
