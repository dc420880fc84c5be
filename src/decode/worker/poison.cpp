#include "poison.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace quasar::decode {
namespace {

bool names(std::string_view pattern, std::string_view id) {
  if (pattern.ends_with('*')) return id.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == id;
}

[[noreturn]] void take_all_memory() {
  constexpr std::size_t kBlock = std::size_t{16} << 20U;
  // Where nothing refuses, this does.
  constexpr std::size_t kMost = 256;
  std::vector<std::unique_ptr<char[]>> blocks;
  while (blocks.size() < kMost) {
    blocks.push_back(std::make_unique<char[]>(kBlock));
    std::memset(blocks.back().get(), 1, kBlock);
  }
  throw std::bad_alloc();
}

}  // namespace

Lie poison(std::string_view id) {
  static const char* const setting = std::getenv("QUASAR_TEST_POISON");
  if (setting == nullptr) return Lie::kNone;
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
    if (what == "lie") return Lie::kSizes;
    if (what == "wrong") return Lie::kOtherSize;
    if (what == "babble") return Lie::kBabble;
    if (what == "greed") return Lie::kGreed;
    if (what == "sleep") {
      while (true) std::this_thread::sleep_for(std::chrono::hours(1));
    }
    if (what == "spin") {
      // An atomic, as a loop without effect may be left out.
      for (std::atomic<unsigned> turns{0};; turns.fetch_add(1)) {
      }
    }
  }
  return Lie::kNone;
}

}  // namespace quasar::decode
