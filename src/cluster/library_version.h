// Owns the name of the FAISS that the module was built against.
#pragma once

#include <string>

namespace quasar::cluster {

/// "1.7.3".
std::string faiss_version();

}  // namespace quasar::cluster
