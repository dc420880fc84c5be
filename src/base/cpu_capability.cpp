#include "base/cpu_capability.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/errors.h"

namespace quasar::base {
namespace {

bool has(CpuCapability capability) {
#if defined(__x86_64__)
  // As LibTorch's kernels for them are compiled.
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  return capability == CpuCapability::kAvx2 ? avx2 : avx2 && avx512;
#else
  return capability == CpuCapability::kNative;
#endif
}

}  // namespace

const std::vector<std::pair<std::string_view, CpuCapability>>& cpu_capabilities() {
  static const std::vector<std::pair<std::string_view, CpuCapability>> names = {
      {"native", CpuCapability::kNative}, {"avx2", CpuCapability::kAvx2}, {"avx512", CpuCapability::kAvx512}};
  return names;
}

std::vector<std::pair<std::string, std::string>> environment_of(CpuCapability capability) {
  switch (capability) {
    case CpuCapability::kAvx2:
      return {{"ATEN_CPU_CAPABILITY", "avx2"},
              {"ONEDNN_MAX_CPU_ISA", "AVX2"},
              {"OPENBLAS_CORETYPE", "Haswell"},
              {"MKL_CBWR", "AVX2"}};
    case CpuCapability::kAvx512:
      return {{"ATEN_CPU_CAPABILITY", "avx512"},
              {"ONEDNN_MAX_CPU_ISA", "AVX512_CORE"},
              {"OPENBLAS_CORETYPE", "SkylakeX"},
              {"MKL_CBWR", "AVX512"}};
    case CpuCapability::kNative:
      break;
  }
  return {};
}

void hold_to(CpuCapability capability, char* const* arguments) {
  if (capability == CpuCapability::kNative) return;
  if (!has(capability)) {
    fail(ExitCode::kConfig, "embed.cpu_capability: the processor of this host has no " +
                                std::string(capability == CpuCapability::kAvx2 ? "AVX2" : "AVX-512") +
                                "; ask for less, or keep the job off such hosts");
  }
  bool changed = false;
  for (const auto& [name, value] : environment_of(capability)) {
    const char* const present = std::getenv(name.c_str());
    if (present != nullptr && value == present) continue;
    ::setenv(name.c_str(), value.c_str(), 1);
    changed = true;
  }
  if (!changed) return;
  ::execv("/proc/self/exe", arguments);
  fail(ExitCode::kInternal, "cannot start the program again: " + describe_errno(errno));
}

}  // namespace quasar::base
