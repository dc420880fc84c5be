/* Preloaded: a host that sees late what others have made. In the rank LATE_RANK, the first LATE_LOOKS looks
   at each path that holds one of the words of LATE_PATHS (separated by commas), and is there, say that it is
   not. What the process itself has made it sees at once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kPaths = 4096, kOwn = 1000000 };
static struct {
  char* path;
  int looks;
} seen[kPaths];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Counts the looks at a path. */
static int look(const char* path, int more) {
  pthread_mutex_lock(&mutex);
  int i = 0;
  while (i < kPaths && seen[i].path != NULL && strcmp(seen[i].path, path) != 0) ++i;
  int looks = kOwn;
  if (i < kPaths) {
    if (seen[i].path == NULL) seen[i].path = strdup(path);
    if (seen[i].looks < kOwn) seen[i].looks += more;
    looks = seen[i].looks;
  }
  pthread_mutex_unlock(&mutex);
  return looks;
}

static int holds_a_word(const char* path) {
  const char* words = getenv("LATE_PATHS");
  while (words != NULL && *words != '\0') {
    const size_t length = strcspn(words, ",");
    if (length > 0 && memmem(path, strlen(path), words, length) != NULL) return 1;
    words += length + (words[length] == ',');
  }
  return 0;
}

static int is_late(const char* path) {
  const char* rank = getenv("OMPI_COMM_WORLD_RANK");
  const char* late = getenv("LATE_RANK");
  const char* looks = getenv("LATE_LOOKS");
  if (path == NULL || rank == NULL || late == NULL || strcmp(rank, late) != 0) return 0;
  if (strstr(path, ".quasar-tmp.") != NULL || !holds_a_word(path)) return 0;
  if (syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0) return 0;
  const int hidden = look(path, 1) <= (looks != NULL ? atoi(looks) : 8);
  if (hidden) errno = ENOENT;
  return hidden;
}

#define OPEN(name)                                                                                \
  int name(const char* path, int flags, ...) {                                                    \
    va_list rest;                                                                                 \
    va_start(rest, flags);                                                                        \
    const int mode = va_arg(rest, int);                                                           \
    va_end(rest);                                                                                 \
    if ((flags & O_CREAT) != 0) look(path, kOwn);                                                 \
    if ((flags & (O_CREAT | O_DIRECTORY)) == 0 && is_late(path)) return -1;                       \
    int (*real)(const char*, int, ...) = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, #name); \
    return real(path, flags, mode);                                                               \
  }
OPEN(open)
OPEN(open64)

#define STAT(name, type)                                                                                  \
  int name(const char* path, struct type* status) {                                                       \
    if (is_late(path)) return -1;                                                                         \
    int (*real)(const char*, struct type*) = (int (*)(const char*, struct type*))dlsym(RTLD_NEXT, #name); \
    return real(path, status);                                                                            \
  }
STAT(stat, stat)
STAT(stat64, stat64)

#define FOPEN(name)                                                     \
  FILE* name(const char* path, const char* mode) {                      \
    if (mode[0] == 'r' && is_late(path)) return NULL;                   \
    FILE* (*real)(const char*, const char*) =                           \
        (FILE * (*)(const char*, const char*)) dlsym(RTLD_NEXT, #name); \
    return real(path, mode);                                            \
  }
FOPEN(fopen)
FOPEN(fopen64)

int rename(const char* from, const char* to) {
  look(to, kOwn);
  int (*real)(const char*, const char*) = (int (*)(const char*, const char*))dlsym(RTLD_NEXT, "rename");
  return real(from, to);
}

int mkdir(const char* path, mode_t mode) {
  look(path, kOwn);
  int (*real)(const char*, mode_t) = (int (*)(const char*, mode_t))dlsym(RTLD_NEXT, "mkdir");
  return real(path, mode);
}
