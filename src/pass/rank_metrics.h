// Owns what a rank counts while it embeds, and RUN/metrics/rank-N.prom: the same in Prometheus's text format,
// for a node exporter's textfile collector and for `quasar status`.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "pass/bottleneck.h"
#include "pass/in_flight.h"
#include "pass/thread_time.h"

namespace quasar::pass {

/// Advanced by the rank's threads, read by its watchdog.
struct RankMetrics {
  std::array<std::atomic<std::uint64_t>, 32> images{};  ///< By number of their status.
  std::atomic<std::uint64_t> bytes_read{0};
  std::atomic<std::uint64_t> shards{0};
  ThreadClock threads;
};

/// A rank's metrics as written, read back.
struct MetricsSnapshot {
  std::string name;  ///< The file's, without suffix.
  std::map<base::RowStatus, std::uint64_t> images;
  std::uint64_t bytes_read = 0;
  std::uint64_t shards = 0;
  ThreadTime thread_s{};
  Crew crew;
  double elapsed_s = 0;   ///< From the start of the pass.
  double written_at = 0;  ///< Seconds since 1970.
  bool finished = false;
  std::vector<int> open_shards;         ///< Begun and not written yet.
  std::vector<ItemInFlight> in_flight;  ///< Images that take long.
};

/// What is written beside the counts.
struct MetricsStamp {
  int rank = 0;
  double elapsed_s = 0;
  double now = 0;         ///< Seconds since 1970.
  bool finished = false;  ///< The rank has left the pass.
  Crew crew = {};         ///< The rank's own.
  std::vector<int> open_shards = {};
  std::vector<ItemInFlight> in_flight = {};
};

/// Prometheus's text format, every sample with its HELP and TYPE.
std::string to_prometheus(const RankMetrics& metrics, const MetricsStamp& stamp);

/// Reads what to_prometheus wrote; lines of others are passed over.
MetricsSnapshot from_prometheus(const std::string& text);

/// What the ranks of a pass have done together.
PassWork work_of(std::span<const MetricsSnapshot> ranks);

/// Every *.prom file of the folder, by name.
std::vector<MetricsSnapshot> read_metrics(const std::filesystem::path& folder);

}  // namespace quasar::pass
