// Owns where the golden cases of encoders are found: kept in the repository, or with the shared test data.
#pragma once

#include <filesystem>
#include <string>

#include "support/test_data.h"

namespace quasar::test {

inline std::filesystem::path encoder_golden_folder(const std::string& name) {
  const std::filesystem::path shared = shared_data() / "golden" / name;
  return std::filesystem::exists(shared) ? shared : test_file("golden/encoders") / name;
}

}  // namespace quasar::test
