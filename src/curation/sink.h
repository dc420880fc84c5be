// Owns what a ranking is written to: a sink takes the rows of each rank in order, and puts one file in the
// run directory. The manifests are two, the report another.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "comm/communicator.h"
#include "curation/column.h"
#include "curation/curation_result.h"
#include "curation/manifest_row.h"
#include "curation/written_files.h"

namespace quasar::curation {

/// Construction and commit() are collective.
class Sink {
 public:
  virtual ~Sink() = default;
  /// Takes the next row of this rank. Not collective.
  virtual void write(const ManifestRow& row) = 0;
  /// Makes the file appear, whole, and adds it to `files` on root. A sink destroyed without it leaves
  /// nothing.
  virtual void commit(const CurationResult& result, WrittenFiles& files) = 0;
};

}  // namespace quasar::curation
