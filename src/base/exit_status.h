// Owns what each exit status means, in the words in which the program's help and the README say it.
#pragma once

#include <string_view>
#include <vector>

#include "base/errors.h"

namespace quasar::base {

/// A few words on the status.
std::string_view exit_meaning(ExitCode code);

/// Every status, 0 first and by number.
std::vector<ExitCode> all_exit_codes();

}  // namespace quasar::base
