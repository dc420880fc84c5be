#include "base/allocator.h"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace quasar::base {

void reuse_freed_memory() {
#ifdef __GLIBC__
  constexpr int kLargestBlock = 32 << 20;
  constexpr int kKept = 256 << 20;
  mallopt(M_MMAP_THRESHOLD, kLargestBlock);
  mallopt(M_TRIM_THRESHOLD, kKept);
#endif
}

}  // namespace quasar::base
