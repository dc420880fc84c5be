// Owns what a rank counts while it embeds, and RUN/metrics/rank-N.prom: the same in Prometheus's text format,
// for a node exporter's textfile collector and for `quasar status`.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "pass/in_flight.h"

namespace quasar::pass {

/// Advanced by the rank's threads, read by its watchdog. Times are sums over threads, nanoseconds.
struct RankMetrics {
  std::array<std::atomic<std::uint64_t>, 32> images{};  ///< By number of their status.
  std::atomic<std::uint64_t> bytes_read{0};
  std::atomic<std::int64_t> decode_ns{0};
  std::atomic<std::int64_t> encode_ns{0};
  std::atomic<std::int64_t> starved_of_decoded_ns{0};  ///< Encode threads without a batch.
  std::atomic<std::int64_t> starved_of_encoder_ns{0};  ///< Decode threads with every batch in flight.
  std::atomic<std::uint64_t> shards{0};
};

/// Adds the time from its construction to its destruction to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(std::atomic<std::int64_t>& sum) : sum_(sum), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() { sum_ += std::chrono::nanoseconds(std::chrono::steady_clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  std::atomic<std::int64_t>& sum_;
  std::chrono::steady_clock::time_point start_;
};

/// A rank's metrics as written, read back.
struct MetricsSnapshot {
  std::string name;  ///< The file's, without suffix.
  std::map<base::RowStatus, std::uint64_t> images;
  std::uint64_t bytes_read = 0;
  std::uint64_t shards = 0;
  double decode_s = 0;
  double encode_s = 0;
  double starved_of_decoded_s = 0;
  double starved_of_encoder_s = 0;
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
  std::vector<int> open_shards = {};
  std::vector<ItemInFlight> in_flight = {};
};

/// Prometheus's text format, every sample with its HELP and TYPE.
std::string to_prometheus(const RankMetrics& metrics, const MetricsStamp& stamp);

/// Reads what to_prometheus wrote; lines of others are passed over.
MetricsSnapshot from_prometheus(const std::string& text);

/// Every *.prom file of the folder, by name.
std::vector<MetricsSnapshot> read_metrics(const std::filesystem::path& folder);

}  // namespace quasar::pass
