#include "image/vips_environment.h"

#include <vips/vips.h>

#include "base/errors.h"

namespace quasar::image {
namespace {

/// Loaders warn of every oddity of a file; what matters comes back as the row's status and message.
GLogWriterOutput drop_message(GLogLevelFlags, const GLogField*, gsize, gpointer) {
  return G_LOG_WRITER_HANDLED;
}

}  // namespace

VipsEnvironment::VipsEnvironment() {
  g_log_set_writer_func(drop_message, nullptr, nullptr);
  if (VIPS_INIT("quasar") != 0) {
    base::fail(base::ExitCode::kInternal, std::string("libvips did not start: ") + vips_error_buffer());
  }
  vips_block_untrusted_set(TRUE);
  vips_concurrency_set(1);
  vips_cache_set_max(0);
}

VipsEnvironment::~VipsEnvironment() {
  vips_shutdown();
}

std::string vips_library_version() {
  return std::to_string(vips_version(0)) + "." + std::to_string(vips_version(1)) + "." +
         std::to_string(vips_version(2));
}

}  // namespace quasar::image
