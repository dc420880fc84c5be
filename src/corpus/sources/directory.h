// Owns the kind of source "directory": every image below a folder.
#pragma once

#include "corpus/sources/source.h"

namespace quasar::corpus {

SourceType directory_type();

}  // namespace quasar::corpus
