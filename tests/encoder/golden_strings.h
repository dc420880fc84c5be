// Owns the texts of the golden cases of the text tower.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "encoder/golden_case.h"

namespace quasar::encoder {

inline std::vector<std::string> golden_strings() {
  std::ifstream file(golden_folder("clip_text_tiny") / "strings.json");
  std::vector<std::string> strings;
  for (const auto& entry : nlohmann::json::parse(file))
    strings.push_back(entry.at("text").get<std::string>());
  return strings;
}

}  // namespace quasar::encoder
