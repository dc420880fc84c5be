// Owns the kind of source "table": CSV, TSV, JSON lines or Parquet with a column of paths.
#pragma once

#include "corpus/sources/source.h"

namespace quasar::corpus {

SourceType table_type();

}  // namespace quasar::corpus
