// Owns the kind of source "tar": WebDataset tars, whose members belong together by key.
#pragma once

#include "corpus/sources/source.h"

namespace quasar::corpus {

SourceType tar_type();

}  // namespace quasar::corpus
