#include "encoder/compute_kind.h"

#include <ATen/Version.h>
#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

namespace quasar::encoder {
namespace {

/// What follows the first `label` of a text, to the end of the line.
std::string value_after(std::istream& text, std::string_view label) {
  for (std::string line; std::getline(text, line);) {
    const std::size_t at = line.find(label);
    if (at == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t:", at + label.size());
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  return value_after(file, "model name");
}

std::string aten_capability() {
  std::istringstream config(at::show_config());
  return value_after(config, "CPU capability usage:");
}

std::string onednn_instruction_set() {
  // dnnl_cpu_isa_t of oneDNN 2 and 3.
  constexpr std::array<std::pair<int, const char*>, 9> kNames = {{{0x1, "sse41"},
                                                                  {0x3, "avx"},
                                                                  {0x7, "avx2"},
                                                                  {0xF, "avx2_vnni"},
                                                                  {0x27, "avx512_core"},
                                                                  {0x67, "avx512_core_vnni"},
                                                                  {0xE7, "avx512_core_bf16"},
                                                                  {0x1EF, "avx512_core_fp16"},
                                                                  {0xFEF, "avx512_core_amx"}}};
  // LibTorch's own packages hide the copy that they are linked with.
  if (void* const found = ::dlsym(RTLD_DEFAULT, "dnnl_get_effective_cpu_isa"); found != nullptr) {
    const int isa = reinterpret_cast<int (*)()>(found)();
    for (const auto& [number, name] : kNames)
      if (number == isa) return name;
    return std::to_string(isa);
  }
  const char* const limit = std::getenv("ONEDNN_MAX_CPU_ISA");
  return limit == nullptr ? "" : std::string("at most ") + limit;
}

std::string blas_core() {
  void* const found = ::dlsym(RTLD_DEFAULT, "openblas_get_corename");
  return found == nullptr ? "" : reinterpret_cast<char* (*)()>(found)();
}

std::string or_else(const std::string& text, const char* other) {
  return text.empty() ? other : text;
}

}  // namespace

std::string ProcessorKind::describe() const {
  return or_else(model, "unknown processor") + ", ATen " + or_else(aten, "unknown") + ", oneDNN " +
         or_else(onednn, "unknown") + ", OpenBLAS " + or_else(blas, "none");
}

ProcessorKind processor_kind() {
  return {processor_name(), aten_capability(), onednn_instruction_set(), blas_core()};
}

std::string gpu_models() {
  // From the driver, because LibTorch tells no names without CUDA's own headers.
  std::set<std::string> models;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", error)) {
    std::ifstream file(entry.path() / "information");
    models.insert(value_after(file, "Model:"));
  }
  std::string names;
  for (const auto& model : models) names += (names.empty() ? "" : " and ") + model;
  return names.empty() ? "unknown GPU" : names;
}

}  // namespace quasar::encoder
