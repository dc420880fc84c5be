// Owns where tests find their data and a scratch folder per test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

namespace quasar::test {

/// The folder with golden/ and data/ (CMake variable QUASAR_TEST_DATA); it may not exist.
std::filesystem::path shared_data();
/// A file or folder kept in the repository, below tests/.
std::filesystem::path test_file(const std::filesystem::path& relative);
/// Root of the source tree.
std::filesystem::path source_dir();
/// Whether the test must go on without `path`. Where it is missing this fails the test in CI (CI=true).
bool missing_data(const std::filesystem::path& path);
/// Whether missing_data() has found anything missing so far.
bool lacked_data();

/// An empty folder of its own for a test, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace quasar::test

/// Skips the running test, saying so, when shared data is missing; in CI that is a failure instead.
#define QUASAR_REQUIRE_DATA(path)                                                         \
  do {                                                                                    \
    if (::quasar::test::missing_data(path)) GTEST_SKIP() << "no test data at " << (path); \
  } while (false)
