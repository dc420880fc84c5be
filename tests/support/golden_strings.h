// Owns the texts of the golden cases of the text tower.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/encoder_golden.h"

namespace quasar::test {

inline std::vector<std::string> golden_strings() {
  std::ifstream file(encoder_golden_folder("clip_text_tiny") / "strings.json");
  std::vector<std::string> strings;
  for (const auto& entry : nlohmann::json::parse(file))
    strings.push_back(entry.at("text").get<std::string>());
  return strings;
}

}  // namespace quasar::test
