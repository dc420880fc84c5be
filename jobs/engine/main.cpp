#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "base/version.h"
#include "cluster/library_version.h"
#include "comm/communicator.h"
#include "encoder/make_encoder.h"
#include "engine/engine.h"
#include "image/vips_environment.h"
#include "program.h"
#include "store/inspect.h"

namespace {

std::string version_text() {
  return fmt::format("quasar {}\nLibTorch {}{}\nMPI: {}\nHDF5 {}\nFAISS {}\nlibvips {}\nBLAS: {}",
                     quasar::base::version(), quasar::encoder::torch_version(),
                     quasar::encoder::cuda_available() ? " with CUDA" : " without CUDA",
                     quasar::comm::Environment::library_version(), quasar::store::hdf5_version(),
                     quasar::cluster::faiss_version(), quasar::image::vips_library_version(),
                     quasar::base::blas_info().description);
}

std::shared_ptr<void> start_libraries() {
  return std::make_shared<quasar::image::VipsEnvironment>();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace quasar::jobs;
  const int status = run_program(argc, argv,
                                 {.run = run,
                                  .embed = embed,
                                  .anchors = anchors,
                                  .score = score,
                                  .plan = plan,
                                  .verify = verify,
                                  .study = study,
                                  .scenes = scenes,
                                  .hash = hash,
                                  .copies = copies,
                                  .evaluate = evaluate,
                                  .evaluate_distortions = evaluate_distortions,
                                  .version = version_text,
                                  .libraries = start_libraries});
  // All that the program owns is closed. What would follow is LibTorch taking apart its tables of operators
  // one by one, a third of a short job's processor time.
  std::fflush(nullptr);
  std::_Exit(status);
}
