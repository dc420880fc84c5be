// Owns the kind of source "list": a text file with one path per line.
#pragma once

#include "corpus/sources/source.h"

namespace quasar::corpus {

SourceType list_type();

}  // namespace quasar::corpus
