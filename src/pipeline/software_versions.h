// Owns the list of what embeddings are made with.
#pragma once

#include "store/software_record.h"

namespace quasar::pipeline {

/// Name and version of this program and of the libraries it runs on.
store::Software software_versions();

}  // namespace quasar::pipeline
