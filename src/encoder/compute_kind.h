// Owns the description of what an encoder's bits are made on. The same network gives other last digits where
// another processor, or the same one held to less, computes.
#pragma once

#include <string>

namespace quasar::encoder {

/// Names as the libraries give them; empty where there is nothing to name.
struct ComputeKind {
  std::string processor;  ///< "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
  std::string aten;       ///< Instruction set of LibTorch's own kernels: "AVX2".
  std::string
      onednn;  ///< The same of oneDNN, which convolves: "avx2"; ONEDNN_MAX_CPU_ISA where it does not say.
  std::string blas;  ///< Kernels of OpenBLAS: "Haswell".
  std::string gpu;   ///< Models of the GPUs that LibTorch can use here.

  /// One line for files and people: "processor, ATen AVX2, oneDNN avx2, OpenBLAS Haswell, GPU none".
  std::string describe() const;
  friend bool operator==(const ComputeKind&, const ComputeKind&) = default;
};

/// Of this process. Loads nothing that LibTorch has not loaded.
ComputeKind compute_kind();

}  // namespace quasar::encoder
