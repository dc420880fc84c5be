#include "support/test_data.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

namespace quasar::test {

namespace {

bool lacked = false;

}  // namespace

std::filesystem::path shared_data() {
  return QUASAR_TEST_DATA;
}

std::filesystem::path source_dir() {
  return QUASAR_SOURCE_DIR;
}

std::filesystem::path test_file(const std::filesystem::path& relative) {
  return source_dir() / "tests" / relative;
}

bool missing_data(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return false;
  lacked = true;
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string(ci) == "true") ADD_FAILURE() << "test data is missing in CI: " << path;
  return true;
}

bool lacked_data() {
  return lacked;
}

ScratchFolder::ScratchFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "quasar-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed for " + pattern);
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace quasar::test
