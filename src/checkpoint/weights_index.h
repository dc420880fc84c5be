// Internal to the module: the index of weights that lie in several files ("model.safetensors.index.json"), as
// Hugging Face's libraries write it: {"metadata": {...}, "weight_map": {"TENSOR": "FILE", ...}}.
//
// The JSON may be anybody's: it is taken event by event, and files have to lie beside the index.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace quasar::checkpoint {

/// Whether the bytes begin as a JSON object does, and not as another file of weights.
bool looks_like_weights_index(std::span<const std::byte> file);

/// The file of each tensor, by the tensor's name; not empty. Throws Error(kInput) that says what is wrong and
/// at which byte: no JSON, no weight_map, a tensor twice, a file that is not named as one in the index's own
/// folder.
std::map<std::string, std::string> parse_weights_index(std::string_view json);

}  // namespace quasar::checkpoint
