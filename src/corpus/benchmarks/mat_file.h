// Owns reading of variables out of MATLAB's files (.mat, versions 4 to 7.3), by libmatio.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace quasar::corpus {

/// Variables by name: vectors (1 x n or n x 1) of texts (cells of char) and of numbers (double or single).
struct MatVariables {
  std::map<std::string, std::vector<std::string>> texts;
  std::map<std::string, std::vector<double>> numbers;
};

/// Reads the variables of these names. The file is tried first in a process that may be lost, in bounded time
/// and memory: a small one may inflate to any size. Throws Error(kInput), naming file and variable, or the
/// bound, for what is no such file, is damaged, lacks one, or goes beyond.
MatVariables read_mat(const std::filesystem::path& file, const std::vector<std::string>& texts,
                      const std::vector<std::string>& numbers);

}  // namespace quasar::corpus
