#include "pipeline/software_versions.h"

#include "base/version.h"
#include "cluster/library_version.h"
#include "comm/communicator.h"
#include "encoder/make_encoder.h"
#include "image/vips_environment.h"
#include "store/inspect.h"

namespace quasar::pipeline {

store::Software software_versions() {
  return {{"quasar", base::version()},
          {"libtorch", encoder::torch_version()},
          {"mpi", comm::Environment::library_version()},
          {"hdf5", store::hdf5_version()},
          {"faiss", cluster::faiss_version()},
          {"libvips", image::vips_library_version()},
          {"blas", base::blas_info().description}};
}

}  // namespace quasar::pipeline
