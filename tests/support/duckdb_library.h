// Owns what tests need to know of DuckDB's library, which no Debian package has: CMake's QUASAR_TEST_DUCKDB
// names it, and tools/setup fetches it where npm is.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/errors.h"
#include "duckdb/database.h"

namespace quasar::test {

/// Why DuckDB cannot be used; empty where it can.
inline std::string why_no_duckdb() {
  try {
    duckdb::load_library();
    return "";
  } catch (const base::Error& error) {
    return error.what();
  }
}

}  // namespace quasar::test

/// Skips the running test, saying so, without DuckDB's library.
#define QUASAR_REQUIRE_DUCKDB()                                                              \
  do {                                                                                       \
    if (const auto why = ::quasar::test::why_no_duckdb(); !why.empty()) GTEST_SKIP() << why; \
  } while (false)
