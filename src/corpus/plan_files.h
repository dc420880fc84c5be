// Owns the names of a plan's two files in the folder that it is saved in.
#pragma once

#include <filesystem>

namespace quasar::corpus {

inline std::filesystem::path plan_file(const std::filesystem::path& folder) {
  return folder / "plan.json";
}
inline std::filesystem::path items_file(const std::filesystem::path& folder) {
  return folder / "items.jsonl";
}

}  // namespace quasar::corpus
