// Owns the choice of what is looked at before a stored file is trusted.
#pragma once

namespace quasar::store {

enum class Integrity {
  kChecked,    ///< The whole file is read for its checksum first, once as long as it does not change.
  kRows,       ///< The same of all but the embeddings, which then must not be read.
  kUnchecked,  ///< For a look at many files of which little is read: damage may crash HDF5.
};

}  // namespace quasar::store
