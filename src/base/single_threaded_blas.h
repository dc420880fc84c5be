// Owns the BLAS library's number of threads, which is one number for the whole process.
#pragma once

namespace quasar::base {

/// While any of these lives, the BLAS library (OpenBLAS, MKL, BLIS) runs each call in the calling thread
/// alone, so that threads of our own do not compete with the library's and no result depends on how it splits
/// work. The first one notes what was set before, the last one sets it again. Thread-safe. A library without
/// such a switch (the reference BLAS) has one thread anyway.
class SingleThreadedBlas {
 public:
  SingleThreadedBlas();
  ~SingleThreadedBlas();
  SingleThreadedBlas(const SingleThreadedBlas&) = delete;
  SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;
};

}  // namespace quasar::base
