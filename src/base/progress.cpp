#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

#include "base/activity.h"
#include "base/logging.h"

namespace quasar::base {
namespace {
constexpr auto kTerminalInterval = std::chrono::milliseconds(200);
constexpr auto kLogInterval = std::chrono::seconds(10);
/// The first line of a log, as soon as there is a rate: how long it will take is known early. Brief work is
/// over before.
constexpr auto kFirstLog = std::chrono::seconds(2);
}  // namespace

Progress::Progress(std::string what, std::string unit, std::uint64_t total, Brief brief)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(::isatty(STDERR_FILENO) == 1),
      brief_(brief),
      start_(std::chrono::steady_clock::now()),
      last_report_(start_) {}

Progress::~Progress() {
  finish();
}

void Progress::update(std::uint64_t done, const std::string& note) {
  // The count, not the call: a report that says the same again is no sign of work.
  if (done != done_) note_activity();
  const auto now = std::chrono::steady_clock::now();
  if (!started_) {
    // Work that an earlier run had finished counts as done, but not towards the rate.
    started_ = true;
    first_done_ = done;
  }
  done_ = done;
  if (brief_ == Brief::kYes && now - start_ < kFirstLog) return;
  if (terminal_) {
    if (now - last_report_ < kTerminalInterval) return;
    last_report_ = now;
    fmt::print(stderr, "\r\033[K{}", line(done, note));
    std::fflush(stderr);
  } else if (now - last_report_ >= kLogInterval ||
             (last_report_ == start_ && done > first_done_ && now - start_ >= kFirstLog)) {
    last_report_ = now;
    log_info("{}", line(done, note));
  }
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (brief_ == Brief::kYes && last_report_ == start_) return;
  if (terminal_) fmt::print(stderr, "\r\033[K");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const auto fresh = done_ - first_done_;
  log_info("{}: {} {} in {} ({:.1f}/s)", what_, with_thousands(done_), unit_, human_duration(seconds),
           seconds > 0 ? static_cast<double>(fresh) / seconds : 0.0);
}

std::string Progress::line(std::uint64_t done, const std::string& note) const {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - first_done_) / seconds : 0.0;
  std::string text = what_ + ": " + with_thousands(done);
  if (total_ > 0) text += "/" + with_thousands(total_);
  text += fmt::format(" {}, {:.1f}/s", unit_, rate);
  if (total_ > done && rate > 0) {
    text += ", " + human_duration(static_cast<double>(total_ - done) / rate) + " left";
  }
  if (!note.empty()) text += ", " + note;
  return text;
}

std::string with_thousands(std::uint64_t value) {
  std::string text = std::to_string(value);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string counted(std::uint64_t value, std::string_view thing) {
  return fmt::format("{} {}{}", with_thousands(value), thing, value == 1 ? "" : "s");
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024.0 && unit + 1 < kUnits.size(); ++unit) value /= 1024.0;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 120) return fmt::format("{} s", whole);
  if (whole < 7200) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace quasar::base
