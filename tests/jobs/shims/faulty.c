// Preloaded: from the moment FAULT_AFTER exists, opening a path that contains FAULT_PATH fails with EIO.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_faulty(const char* path) {
  const char* part = getenv("FAULT_PATH");
  const char* after = getenv("FAULT_AFTER");
  return part != NULL && after != NULL && strstr(path, part) != NULL && access(after, F_OK) == 0;
}

#define DEFINE_OPEN(name)                                                                    \
  int name(const char* path, int flags, ...) {                                               \
    int (*real)(const char*, int, ...) = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, #name); \
    va_list rest;                                                                            \
    va_start(rest, flags);                                                                   \
    const mode_t mode = va_arg(rest, mode_t);                                                \
    va_end(rest);                                                                            \
    if (is_faulty(path)) {                                                                   \
      errno = EIO;                                                                           \
      return -1;                                                                             \
    }                                                                                        \
    return real(path, flags, mode);                                                          \
  }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
