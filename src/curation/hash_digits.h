// Internal to the module: owns the way from the digits of a hash, as shards and lists have it, to its bits.
#pragma once

#include <optional>
#include <string_view>

#include "cluster/hamming_pairs.h"

namespace quasar::curation {

/// The bits of PDQ's 64 digits or of xxh128's 32, the last of them lowest; nothing where one is no digit or
/// lower-case letter of hexadecimal numbers.
std::optional<cluster::HashBits> parse_hash(std::string_view digits);

}  // namespace quasar::curation
