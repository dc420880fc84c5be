// Owns QUASAR_SANITIZED, which is defined where a sanitizer is built in: its allocator takes the place of the
// C library's, and it reserves more memory than there is.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define QUASAR_SANITIZED
#elif defined(__has_feature)
// Clang's way to tell.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define QUASAR_SANITIZED
#endif
#endif
