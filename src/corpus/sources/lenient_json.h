// Owns reading of JSON as Python's json module writes it: NaN, Infinity and -Infinity, halves of surrogate
// pairs, and the bytes that ensure_ascii=False lets through. JSON itself has none of these; each costs its
// value, or its character, alone.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "corpus/sources/source.h"

namespace quasar::corpus {

/// The value that `text` states. NaN, infinities and numbers beyond a double become null, lone surrogates
/// U+FFFD, bytes that are not UTF-8 %XX as everywhere; each kind is counted among what is left out. Throws
/// nlohmann::json::exception for what is no JSON even so.
nlohmann::json parse_lenient_json(std::string_view text, SourceCounts& counts);

/// Text of a value: of a string itself, of null none, of all else its JSON.
std::string json_text(const nlohmann::json& value);

}  // namespace quasar::corpus
