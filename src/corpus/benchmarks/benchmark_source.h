// Owns the kind of source "benchmark": a published data set as its authors ship it.
#pragma once

#include "corpus/sources/source.h"

namespace quasar::corpus {

SourceType benchmark_type();

}  // namespace quasar::corpus
