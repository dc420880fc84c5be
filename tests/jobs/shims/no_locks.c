/* Preloaded: a file system without locks. NO_LOCKS is the errno that every attempt to lock fails with. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>

static int refuse(void) {
  const char* setting = getenv("NO_LOCKS");
  errno = setting != NULL ? atoi(setting) : ENOLCK;
  return -1;
}

int flock(int fd, int operation) {
  (void)fd;
  (void)operation;
  return refuse();
}

static int is_lock(int command) {
  return command == F_SETLK || command == F_SETLKW || command == F_GETLK || command == F_OFD_SETLK ||
         command == F_OFD_SETLKW || command == F_OFD_GETLK;
}

#define FCNTL(name)                                                               \
  int name(int fd, int command, ...) {                                            \
    va_list rest;                                                                 \
    va_start(rest, command);                                                      \
    void* argument = va_arg(rest, void*);                                         \
    va_end(rest);                                                                 \
    if (is_lock(command)) return refuse();                                        \
    int (*real)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, #name); \
    return real(fd, command, argument);                                           \
  }
FCNTL(fcntl)
FCNTL(fcntl64)
