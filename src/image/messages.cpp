#include "image/messages.h"

#include <vips/vips.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace quasar::image {
namespace {

/// The last warning. What is said in a loop must not grow.
struct Warnings {
  std::mutex mutex;
  std::string last;
};

Warnings& warnings() {
  static Warnings shared;
  return shared;
}

/// "vipspng: libpng read error" and its like.
bool names_no_cause(std::string_view reason) {
  return reason.empty() || reason.ends_with("read error");
}

}  // namespace

void note_warning(std::string_view text) {
  constexpr std::size_t kMost = 200;
  // libvips's own, on every failure of pixels.
  if (text.starts_with("error in tile")) return;
  auto& shared = warnings();
  const std::lock_guard lock(shared.mutex);
  shared.last = text.substr(0, kMost);
}

void forget_messages() {
  vips_error_clear();
  auto& shared = warnings();
  const std::lock_guard lock(shared.mutex);
  shared.last.clear();
}

std::string take_reason() {
  std::string_view rest = vips_error_buffer();
  std::vector<std::string> lines;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.empty() && std::find(lines.begin(), lines.end(), line) == lines.end()) lines.emplace_back(line);
  }
  // The last line is the failure itself, those before are what led to it.
  constexpr std::size_t kMost = 300;
  std::string text;
  for (auto line = lines.rbegin(); line != lines.rend() && text.size() + line->size() < kMost; ++line)
    text = *line + (text.empty() ? "" : "; ") + text;
  if (names_no_cause(text)) {
    auto& shared = warnings();
    const std::lock_guard lock(shared.mutex);
    if (!shared.last.empty()) text += (text.empty() ? "" : ": ") + shared.last;
  }
  forget_messages();
  return text;
}

}  // namespace quasar::image
