// Owns how the tests read the shipped configurations: as they are, and with every commented key switched on.
#pragma once

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "support/test_data.h"

namespace quasar::test {

/// The text of configs/NAME.
inline std::string preset_text(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(source_dir() / "configs" / name).rdbuf();
  return text.str();
}

/// The same with its commented keys ("  # key: value") put in.
inline std::string uncommented(const std::string& text) {
  const std::regex commented(R"(^( +)# (\w+:( .*)?)$)");
  std::istringstream lines(text);
  std::ostringstream result;
  for (std::string line; std::getline(lines, line);)
    result << std::regex_replace(line, commented, "$1$2") << "\n";
  return result.str();
}

}  // namespace quasar::test
