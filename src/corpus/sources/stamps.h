// Owns the stamps of files and folders, by which a source is seen to be as it was without being read again:
// their sizes and times of change. For the kinds of sources.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace quasar::corpus {

/// Their key in a source's state.
inline constexpr const char* kStamps = "stamps";

/// A file's time as stamps have it: nanoseconds since 1970.
constexpr std::int64_t nanoseconds_of(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// Stamps of what a source is listed from, taken before each is read.
class Stamps {
 public:
  void add(const std::filesystem::path& path);
  void add(const std::filesystem::path& path, const struct stat& status);

  /// Puts them into the source's state, an object, as "stamps": by path, bytes and the time of change in
  /// nanoseconds. Puts none where something could not be looked at, or there are very many.
  void put_into(nlohmann::json& state) const;

 private:
  nlohmann::json stamps_ = nlohmann::json::object();
  bool complete_ = true;
};

/// Whether all that a state has stamps of bears them still; false for a state without, and where something
/// had changed so shortly before `written`, the time at which the state was, that a further change may bear
/// the same stamp. Nanoseconds since 1970.
bool bears_its_stamps(const nlohmann::json& state, std::int64_t written);

/// Whether two states say the same but for their stamps.
bool is_same_listing(nlohmann::json one, nlohmann::json other);

}  // namespace quasar::corpus
