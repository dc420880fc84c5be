#include "refusals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

#include "base/sanitized.h"
#include "decode/protocol.h"

namespace quasar::decode {
namespace {

std::atomic<bool> refused{false};

/// An allocation's result; null for a size of 0 is none.
[[maybe_unused]] void* watched(void* memory, std::size_t size) {
  if (memory == nullptr && size != 0) refused.store(true, std::memory_order_relaxed);
  return memory;
}

[[maybe_unused]] void at_crash(int number) {
  if (refused.load(std::memory_order_relaxed)) ::_exit(kExitOutOfMemory);
  ::signal(number, SIG_DFL);
  ::raise(number);
}

}  // namespace

bool memory_was_refused() {
  return refused;
}

void forget_refusals() {
  refused = false;
}

void tell_refusals_from_crashes() {
#if !defined(QUASAR_SANITIZED)
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGTRAP}) ::signal(number, at_crash);
#endif
}

}  // namespace quasar::decode

#if defined(__GLIBC__) && !defined(QUASAR_SANITIZED)

// The program's own allocators take the place of the C library's for all libraries, and call them.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  return quasar::decode::watched(__libc_malloc(size), size);
}

void* calloc(std::size_t count, std::size_t size) {
  return quasar::decode::watched(__libc_calloc(count, size), count != 0 ? size : 0);
}

void* realloc(void* memory, std::size_t size) {
  return quasar::decode::watched(__libc_realloc(memory, size), size);
}

void* memalign(std::size_t alignment, std::size_t size) {
  return quasar::decode::watched(__libc_memalign(alignment, size), size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return quasar::decode::watched(__libc_memalign(alignment, size), size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  if (alignment < sizeof(void*) || (alignment & (alignment - 1)) != 0) return EINVAL;
  *memory = quasar::decode::watched(__libc_memalign(alignment, size), size);
  return *memory == nullptr && size != 0 ? ENOMEM : 0;
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

#endif
