// Internal to the module: the safetensors format (https://github.com/huggingface/safetensors, "Format").
//
// A file is an 8-byte little-endian length, a JSON header of that length, and the tensors' bytes. The header
// may be anybody's: it is taken event by event, nothing but what the format has in that place, and checked as
// a whole before a byte of data is looked at.
//
// By hand, because no library for C++ is packaged; the JSON itself is nlohmann's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/stored_tensor.h"

namespace quasar::checkpoint {

/// Where one tensor lies; offsets count from the first byte after the header.
struct SafetensorsEntry {
  std::string name;
  Dtype type = Dtype::kFloat32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< In order of offset; without gaps from 0 to the data's size.
  std::map<std::string, std::string> metadata;
};

/// Whether the bytes begin as a safetensors file does: a length, then `{`.
bool looks_like_safetensors(std::span<const std::byte> file);

/// Parses and checks a header's JSON against the number of data bytes that follow it. Throws Error(kInput)
/// that says what is wrong and where in the header.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_size);

/// Splits a whole file into header and data and parses the header. `data` is where offsets count from.
SafetensorsHeader read_safetensors_header(std::span<const std::byte> file, std::span<const std::byte>& data);

/// Header of a file to be written (length included, padded so that the data begins at a multiple of 64),
/// given entries whose offsets are set. Entries keep their order.
std::string format_safetensors_header(const SafetensorsHeader& header);

}  // namespace quasar::checkpoint
