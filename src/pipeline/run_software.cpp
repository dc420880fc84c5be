#include "pipeline/run_software.h"

#include "base/version.h"
#include "comm/communicator.h"
#include "store/inspect.h"

namespace quasar::pipeline {

store::Software software_of_run(const store::RunLayout& run) {
  auto software = store::read_software(run);
  for (const char* const name : {"libtorch", "faiss", "libvips", "blas"})
    software.try_emplace(name, "not recorded");
  software["quasar"] = base::version();
  software["mpi"] = comm::Environment::library_version();
  software["hdf5"] = store::hdf5_version();
  return software;
}

}  // namespace quasar::pipeline
