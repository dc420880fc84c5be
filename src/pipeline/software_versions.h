// Owns the list of what a run's results were made with.
#pragma once

#include <map>
#include <string>

namespace quasar::pipeline {

/// Name and version of this program and of the libraries it runs on.
std::map<std::string, std::string> software_versions();

}  // namespace quasar::pipeline
