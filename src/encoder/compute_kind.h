// Owns the description of what an encoder's bits are made on. The same network gives other last digits where
// another processor, or the same one held to less, computes.
#pragma once

#include <string>

namespace quasar::encoder {

/// Names as the libraries give them; empty where there is nothing to name.
struct ProcessorKind {
  std::string model;  ///< "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
  std::string aten;   ///< Instruction set of LibTorch's own kernels: "AVX2".
  std::string
      onednn;  ///< The same of oneDNN, which convolves: "avx2"; ONEDNN_MAX_CPU_ISA where it does not say.
  std::string blas;  ///< Kernels of OpenBLAS: "Haswell".

  /// One line for files and people: "MODEL, ATen AVX2, oneDNN avx2, OpenBLAS Haswell".
  std::string describe() const;
  friend bool operator==(const ProcessorKind&, const ProcessorKind&) = default;
};

/// What this process computes with on the CPU. Loads nothing that LibTorch has not loaded.
ProcessorKind processor_kind();

/// Models of the GPUs of this machine: "NVIDIA H100 80GB HBM3"; "unknown GPU" where the driver does not say.
std::string gpu_models();

}  // namespace quasar::encoder
