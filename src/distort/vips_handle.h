// Internal to the module: who owns a picture of libvips.
#pragma once

#include <vips/vips.h>

#include <memory>

namespace quasar::distort {

struct ImageUnref {
  void operator()(VipsImage* image) const { g_object_unref(image); }
};
using VipsHandle = std::unique_ptr<VipsImage, ImageUnref>;

}  // namespace quasar::distort
