#pragma once
#include <string>
#include <string_view>

#include "base/errors.h"
#include "base/utf8.h"

// What the readers of weights say of files that hold none.
namespace quasar::checkpoint {

/// More axes than tensors of weights have.
inline constexpr std::size_t kMostDimensions = 64;
/// More tensors than weights have.
inline constexpr std::size_t kMostTensors = 100'000;

/// Ends with base::ExitCode::kInput.
[[noreturn]] inline void fail_input(const std::string& what) {
  base::fail(base::ExitCode::kInput, what);
}

/// A name out of a file, as messages show it.
inline std::string in_quotes(std::string_view name) {
  return "\"" + base::printable(name) + "\"";
}

}  // namespace quasar::checkpoint
