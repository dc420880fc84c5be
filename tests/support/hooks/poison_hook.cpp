// Linked into the tests' worker: pictures that misbehave on purpose. What the environment variable
// QUASAR_TEST_POISON says of an item is done to the process, as a picture does that hits a bug of a decoder.
// The variable lists, with ',' between, "WHAT:ID", where an ID that ends in '*' is of all that begin so:
//   abort  ends by a failed check        segv   ends by a bad access     kill  ends as if from outside
//   spin   computes for ever             sleep  waits for ever           oom   allocates until it is refused
//   exit   ends with exit status 1
//   lie    answers impossible sizes      wrong  answers another size than the encoder's
//   babble sends what is no message      greed  asks for all memory there is, twice
// The last four are what a worker might do that a picture has taken over.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "decode/channel.h"
#include "decode/protocol.h"
#include "decode/worker/serve.h"

namespace quasar::decode {
namespace {

/// What to say instead of the truth.
enum class Lie { kSizes, kOtherSize, kBabble, kGreed };

bool names(std::string_view pattern, std::string_view id) {
  if (pattern.ends_with('*')) return id.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == id;
}

[[noreturn]] void take_all_memory() {
  constexpr std::size_t kBlock = std::size_t{16} << 20U;
  // Where nothing refuses, this does, before the time of a picture is over.
  constexpr std::size_t kMost = 64;
  std::vector<std::unique_ptr<char[]>> blocks;
  while (blocks.size() < kMost) {
    // The kernel counts what is asked for. Writing a gigabyte of fresh pages takes seconds of processor time
    // on some machines, and the picture would be one that takes too long.
    blocks.push_back(std::make_unique_for_overwrite<char[]>(kBlock));
    *static_cast<volatile char*>(blocks.back().get()) = 1;
  }
  throw std::bad_alloc();
}

bool tell(Lie lie) {
  if (lie == Lie::kBabble)
    return send_bytes(kControlDescriptor, std::as_bytes(std::span("what is no message")));
  if (lie == Lie::kGreed) {
    Need need;
    need.own = ~std::uint64_t{0};
    need.output = ~std::uint64_t{0};
    return send(kControlDescriptor, need) && receive(kControlDescriptor) && send(kControlDescriptor, need);
  }
  Result result;
  result.width = lie == Lie::kSizes ? 1 << 30 : 320;
  result.height = lie == Lie::kSizes ? 1 << 30 : 240;
  result.image_width = result.width;
  result.image_height = result.height;
  if (lie == Lie::kSizes) {
    result.format.length = 1U << 31U;
    result.error.length = 1U << 31U;
  }
  return send(kControlDescriptor, result);
}

std::optional<bool> poison(std::string_view id) {
  static const char* const setting = std::getenv("QUASAR_TEST_POISON");
  if (setting == nullptr) return std::nullopt;
  for (std::string_view rest = setting; !rest.empty();) {
    const auto entry = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    const auto colon = entry.find(':');
    if (colon == std::string_view::npos || !names(entry.substr(colon + 1), id)) continue;
    const auto what = entry.substr(0, colon);
    if (what == "abort") std::abort();
    if (what == "segv") std::raise(SIGSEGV);
    if (what == "kill") std::raise(SIGKILL);
    if (what == "exit") std::_Exit(1);
    if (what == "oom") take_all_memory();
    if (what == "lie") return tell(Lie::kSizes);
    if (what == "wrong") return tell(Lie::kOtherSize);
    if (what == "babble") return tell(Lie::kBabble);
    if (what == "greed") return tell(Lie::kGreed);
    if (what == "sleep") {
      while (true) std::this_thread::sleep_for(std::chrono::hours(1));
    }
    if (what == "spin") {
      // An atomic, as a loop without effect may be left out.
      for (std::atomic<unsigned> turns{0};; turns.fetch_add(1)) {
      }
    }
  }
  return std::nullopt;
}

[[maybe_unused]] const bool kRegistered = [] {
  set_item_observer(poison);
  return true;
}();

}  // namespace
}  // namespace quasar::decode
