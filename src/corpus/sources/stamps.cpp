#include "corpus/sources/stamps.h"

#include <cstddef>

#include "corpus/path_text.h"

namespace quasar::corpus {
namespace {

/// More than these cost more than they save.
constexpr std::size_t kMostStamps = 10'000;
/// The coarsest clock of a file system (FAT); others tick in milliseconds.
constexpr std::int64_t kClockTick = 2'000'000'000;

/// The kernel's own time, which copying and unpacking do not set, as they do the time of modification.
std::int64_t changed_at(const struct stat& status) {
  return nanoseconds_of(status.st_ctim);
}

nlohmann::json stamp_of(const struct stat& status) {
  return {static_cast<std::int64_t>(status.st_size), changed_at(status)};
}

}  // namespace

void Stamps::add(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    complete_ = false;
    return;
  }
  add(path, status);
}

void Stamps::add(const std::filesystem::path& path, const struct stat& status) {
  complete_ = complete_ && stamps_.size() < kMostStamps;
  if (complete_) stamps_[path_to_text(path)] = stamp_of(status);
}

void Stamps::put_into(nlohmann::json& state) const {
  if (complete_ && !stamps_.empty()) state[kStamps] = stamps_;
}

bool bears_its_stamps(const nlohmann::json& state, std::int64_t written) {
  const auto stamps = state.find(kStamps);
  if (stamps == state.end() || !stamps->is_object()) return false;
  for (const auto& [path, stamp] : stamps->items()) {
    struct stat status {};
    if (::stat(text_to_path(path).c_str(), &status) != 0 || stamp_of(status) != stamp ||
        written - changed_at(status) <= kClockTick)
      return false;
  }
  return true;
}

bool is_same_listing(nlohmann::json one, nlohmann::json other) {
  for (auto* state : {&one, &other}) {
    if (state->is_object()) state->erase(kStamps);
  }
  return one == other;
}

}  // namespace quasar::corpus
