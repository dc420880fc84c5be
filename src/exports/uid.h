// Internal to the module: DataComp's 128-bit ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quasar::exports {

/// The first and the last 64 bits.
using Uid = std::pair<std::uint64_t, std::uint64_t>;

/// Of 32 hexadecimal digits, in any case; nothing for all else.
std::optional<Uid> parse_uid(std::string_view text);

/// A whole .npy file of uids, in the order given.
std::string uid_file(const std::vector<Uid>& uids);

}  // namespace quasar::exports
