// Owns the list of software that a ranking names.
#pragma once

#include "store/run_layout.h"
#include "store/software_record.h"

namespace quasar::pipeline {

/// This program, MPI and HDF5 as they are here; what only embedding loads (LibTorch, FAISS, libvips, BLAS),
/// as the run has recorded it, or "not recorded". Throws as store::read_software().
store::Software software_of_run(const store::RunLayout& run);

}  // namespace quasar::pipeline
