#include "base/version.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>

namespace quasar::base {

std::string version() {
  return QUASAR_VERSION;
}

BlasInfo blas_info() {
  BlasInfo info;
  std::string path;
  if (void* sgemm = ::dlsym(RTLD_DEFAULT, "sgemm_"); sgemm != nullptr) {
    Dl_info symbol{};
    if (::dladdr(sgemm, &symbol) != 0 && symbol.dli_fname != nullptr) {
      std::error_code error;
      const auto real = std::filesystem::canonical(symbol.dli_fname, error);
      path = error ? symbol.dli_fname : real.string();
    }
  }
  using Describe = char* (*)();
  if (void* symbol = ::dlsym(RTLD_DEFAULT, "openblas_get_config"); symbol != nullptr) {
    info.description = std::string(reinterpret_cast<Describe>(symbol)()) + " (" + path + ")";
    return info;
  }
  info.description = path.empty() ? "none found" : path;
  info.reference =
      path.find("/blas/libblas") != std::string::npos || path.find("libblas.so.3.") != std::string::npos;
  return info;
}

}  // namespace quasar::base
