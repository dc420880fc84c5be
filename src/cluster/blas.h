// Internal to the module: the one routine of BLAS that it calls by hand.
#pragma once

extern "C" {
// Fortran's interface, which every BLAS has.
// NOLINTNEXTLINE(readability-identifier-naming): the name is the library's.
int sgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k,
           const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
           const float* beta, float* c, const int* ldc);
}

namespace quasar::cluster {

/// products [n, m] = rows [n, d] * others [m, d]^T. Their last bits depend on the processor and on n and m.
inline void multiply_transposed(const float* rows, int n, const float* others, int m, int d,
                                float* products) {
  const float one = 1;
  const float zero = 0;
  sgemm_("T", "N", &m, &n, &d, &one, others, &d, rows, &d, &zero, products, &m);
}

}  // namespace quasar::cluster
