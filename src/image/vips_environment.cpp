#include "image/vips_environment.h"

#include <vips/vips.h>

#include <string_view>

#include "base/errors.h"
#include "image/messages.h"

namespace quasar::image {
namespace {

void (*on_out_of_memory)() = nullptr;

/// Loaders warn of every oddity of a file; what matters comes back as the row's status and message.
GLogWriterOutput keep_message(GLogLevelFlags level, const GLogField* fields, gsize count, gpointer) {
  for (gsize i = 0; i < count; ++i) {
    const std::string_view key = fields[i].key;
    if (key != "MESSAGE" || fields[i].length >= 0) continue;
    const std::string_view text = static_cast<const char*>(fields[i].value);
    if ((level & (G_LOG_LEVEL_WARNING | G_LOG_LEVEL_CRITICAL)) != 0) note_warning(text);
    // GLib ends the process after an error; its one reason in a library is a failed allocation.
    const bool fatal = (level & G_LOG_LEVEL_ERROR) != 0 && on_out_of_memory != nullptr;
    if (fatal && text.find("failed to allocate") != std::string_view::npos) on_out_of_memory();
  }
  return G_LOG_WRITER_HANDLED;
}

}  // namespace

VipsEnvironment::VipsEnvironment(void (*out_of_memory)()) {
  on_out_of_memory = out_of_memory;
  g_log_set_writer_func(keep_message, nullptr, nullptr);
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
