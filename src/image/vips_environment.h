// Owns libvips from construction to destruction; one object, in main (and in test mains).
#pragma once

#include <string>

namespace quasar::image {

/// Starts libvips with what suits a batch job over foreign files: loaders marked untrusted blocked, one
/// thread per image, no operation cache. Throws Error(kInternal) when libvips does not start.
class VipsEnvironment {
 public:
  /// `out_of_memory` is called instead of an abort where a library that cannot go on gets no memory, and does
  /// not return.
  explicit VipsEnvironment(void (*out_of_memory)() = nullptr);
  ~VipsEnvironment();
  VipsEnvironment(const VipsEnvironment&) = delete;
  VipsEnvironment& operator=(const VipsEnvironment&) = delete;
};

/// "8.14.1".
std::string vips_library_version();

}  // namespace quasar::image
