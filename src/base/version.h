// Owns the program's own version and the facts about the machine's linear algebra.
#pragma once

#include <string>

namespace quasar::base {

/// "0.1.0".
std::string version();

/// Which BLAS this process has loaded.
struct BlasInfo {
  std::string description;  ///< "OpenBLAS 0.3.21 ... (/usr/lib/.../libopenblas.so.0)", or the library's path.
  bool reference = false;   ///< The unoptimised reference BLAS: correct, and some thirty times slower.
};
BlasInfo blas_info();

}  // namespace quasar::base
