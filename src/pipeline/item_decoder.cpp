#include "pipeline/item_decoder.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "image/distortions.h"
#include "image/resize.h"
#include "pipeline/distorted_items.h"

namespace quasar::pipeline {
namespace {

std::atomic<bool> alone{false};

void poison(std::string_view id) {
  static const char* const setting = std::getenv("QUASAR_TEST_POISON");
  if (setting == nullptr) return;
  std::string_view text = setting;
  constexpr std::string_view kInRanks = "rank-";
  if (text.starts_with(kInRanks)) {
    if (alone) return;
    text.remove_prefix(kInRanks.size());
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || text.substr(colon + 1) != id) return;
  const auto what = text.substr(0, colon);
  if (what == "abort") std::abort();
  if (what == "kill") std::raise(SIGKILL);
  if (what == "spin") {
    // An atomic, as a loop without effect may be left out.
    for (std::atomic<unsigned> turns{0};; turns.fetch_add(1)) {
    }
  }
}

}  // namespace

image::Prepared decode_item(const corpus::Item& item, std::span<const std::byte> bytes,
                            const image::DecodeConfig& config, const base::InputSpec& spec) {
  poison(item.id);
  const auto distortion = stated_distortion(item);
  if (!distortion) return image::prepare(bytes, config, spec);
  auto prepared = image::decode(bytes, config);
  if (prepared.status == base::RowStatus::kOk) {
    const auto kind = static_cast<image::DistortionKind>(distortion->kind);
    prepared.image =
        image::fit(image::distort(prepared.image, kind, distortion->level, distortion->seed), spec);
  }
  return prepared;
}

void decode_alone() {
  alone = true;
}

double hung_after_seconds(const image::DecodeConfig& config) {
  return 1.5 * config.timeout_s + 2;
}

}  // namespace quasar::pipeline
