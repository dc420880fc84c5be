#include "pass/rank_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <sstream>
#include <string_view>

#include "base/atomic_file.h"
#include "base/errors.h"

namespace quasar::pass {
namespace {

constexpr const char* kImages = "quasar_embed_images_total";
constexpr const char* kBytes = "quasar_embed_read_bytes_total";
constexpr const char* kShards = "quasar_embed_shards_total";
constexpr const char* kThreadTime = "quasar_embed_thread_seconds_total";
constexpr const char* kThreads = "quasar_embed_threads";
constexpr const char* kGpu = "quasar_embed_on_gpu";
constexpr const char* kElapsed = "quasar_embed_elapsed_seconds";
constexpr const char* kWritten = "quasar_embed_updated_timestamp_seconds";
constexpr const char* kFinished = "quasar_embed_finished";
constexpr const char* kOpen = "quasar_embed_open_shard";
constexpr const char* kInFlight = "quasar_embed_in_flight_seconds";
/// An image in flight for less, seconds, is not worth a line.
constexpr double kLong = 1;

/// As a label's value is written.
std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text;
}

class Text {
 public:
  explicit Text(int rank) : rank_(rank) {}

  void family(const char* name, const char* type, const char* help) {
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    name_ = name;
  }
  template <typename T>
  void sample(T value, std::initializer_list<std::pair<std::string_view, std::string_view>> labels = {}) {
    fmt::format_to(std::back_inserter(text_), "{}{{rank=\"{}\"", name_, rank_);
    for (const auto& [label, label_value] : labels)
      fmt::format_to(std::back_inserter(text_), ",{}=\"{}\"", label, escaped(label_value));
    fmt::format_to(std::back_inserter(text_), "}} {}\n", value);
  }
  std::string text() && { return std::move(text_); }

 private:
  int rank_;
  const char* name_ = "";
  std::string text_;
};

/// Value of a label in `{rank="0",status="ok"}`; empty when it has none, or no end.
std::string label_of(const std::string& labels, const std::string& name) {
  const auto begin = labels.find(name + "=\"");
  if (begin == std::string::npos) return {};
  std::string value;
  for (auto at = begin + name.size() + 2; at < labels.size(); ++at) {
    if (labels[at] == '"') return value;
    if (labels[at] == '\\' && at + 1 < labels.size()) {
      ++at;
      value += labels[at] == 'n' ? '\n' : labels[at];
    } else {
      value += labels[at];
    }
  }
  return {};
}

}  // namespace

std::string to_prometheus(const RankMetrics& metrics, const MetricsStamp& stamp) {
  Text text(stamp.rank);
  text.family(kImages, "counter", "Images done with, by status.");
  for (const auto status : base::all_statuses()) {
    const auto count = metrics.images[static_cast<std::size_t>(status)].load(std::memory_order_relaxed);
    if (count > 0 || status == base::RowStatus::kOk)
      text.sample(count, {{"status", base::status_name(status)}});
  }
  text.family(kBytes, "counter", "Bytes of images read.");
  text.sample(metrics.bytes_read.load(std::memory_order_relaxed));
  text.family(kShards, "counter", "Shards written.");
  text.sample(metrics.shards.load(std::memory_order_relaxed));
  text.family(kThreadTime, "counter", "Time of threads by what they were at, summed over threads.");
  const auto time = metrics.threads.seconds();
  for (std::size_t i = 0; i < kDoings; ++i)
    text.sample(time[i], {{"doing", doing_name(static_cast<Doing>(i))}});
  text.family(kThreads, "gauge", "Threads by kind.");
  text.sample(stamp.crew.decode_threads, {{"kind", "decode"}});
  text.sample(stamp.crew.encode_threads, {{"kind", "encode"}});
  text.family(kGpu, "gauge", "Whether the encoder is on a GPU.");
  text.sample(stamp.crew.gpu_ranks > 0 ? 1 : 0);
  text.family(kElapsed, "gauge", "Time since this pass began.");
  text.sample(stamp.elapsed_s);
  text.family(kWritten, "gauge", "When this file was written.");
  text.sample(stamp.now);
  text.family(kFinished, "gauge", "Whether the rank has ended its pass.");
  text.sample(stamp.finished ? 1 : 0);
  text.family(kOpen, "gauge", "Shards begun and not written yet.");
  for (const int shard : stamp.open_shards) text.sample(1, {{"shard", std::to_string(shard)}});
  text.family(kInFlight, "gauge", "Images that take long: how long they have been read, decoded or encoded.");
  for (const auto& item : stamp.in_flight) {
    if (item.seconds < kLong) continue;
    text.sample(item.seconds,
                {{"doing", item.doing}, {"shard", std::to_string(item.shard)}, {"image", item.id}});
  }
  return std::move(text).text();
}

MetricsSnapshot from_prometheus(const std::string& text) {
  MetricsSnapshot found;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    const auto brace = line.find('{');
    const auto end = line.rfind("} ");
    if (line.starts_with('#') || brace == std::string::npos || end == std::string::npos) continue;
    const auto name = line.substr(0, brace);
    const auto labels = line.substr(brace, end - brace);
    const char* value = line.c_str() + end + 2;
    const double number = std::strtod(value, nullptr);
    if (name == kImages) {
      const auto status = base::status_from_name(label_of(labels, "status"));
      if (status) found.images[*status] = std::strtoull(value, nullptr, 10);
    } else if (name == kBytes) {
      found.bytes_read = std::strtoull(value, nullptr, 10);
    } else if (name == kShards) {
      found.shards = std::strtoull(value, nullptr, 10);
    } else if (name == kThreadTime) {
      if (const auto doing = doing_from_name(label_of(labels, "doing"))) at(found.thread_s, *doing) = number;
    } else if (name == kThreads) {
      (label_of(labels, "kind") == "decode" ? found.crew.decode_threads : found.crew.encode_threads) = number;
    } else if (name == kGpu) {
      found.crew.gpu_ranks = number;
    } else if (name == kElapsed) {
      found.elapsed_s = number;
    } else if (name == kWritten) {
      found.written_at = number;
    } else if (name == kFinished) {
      found.finished = number != 0;
    } else if (name == kOpen) {
      found.open_shards.push_back(std::atoi(label_of(labels, "shard").c_str()));
    } else if (name == kInFlight) {
      found.in_flight.push_back({label_of(labels, "doing"), std::atoi(label_of(labels, "shard").c_str()),
                                 label_of(labels, "image"), number});
    }
  }
  return found;
}

PassWork work_of(std::span<const MetricsSnapshot> ranks) {
  PassWork work;
  for (const auto& rank : ranks) {
    for (std::size_t i = 0; i < kDoings; ++i) work.time[i] += rank.thread_s[i];
    work.crew.ranks += 1;
    work.crew.decode_threads += rank.crew.decode_threads;
    work.crew.encode_threads += rank.crew.encode_threads;
    work.crew.gpu_ranks += rank.crew.gpu_ranks;
    for (const auto& [status, count] : rank.images) work.images += static_cast<double>(count);
    work.bytes_read += static_cast<double>(rank.bytes_read);
  }
  return work;
}

std::vector<MetricsSnapshot> read_metrics(const std::filesystem::path& folder) {
  std::vector<MetricsSnapshot> snapshots;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".prom" || it->path().filename().string().starts_with('.')) continue;
    try {
      snapshots.push_back(from_prometheus(base::read_file(it->path(), std::size_t{1} << 20U)));
      snapshots.back().name = it->path().stem().string();
    } catch (const base::Error&) {
      // Replaced or removed while the folder was read.
    }
  }
  const auto key = [](const MetricsSnapshot& s) { return std::pair(s.name.size(), s.name); };
  std::sort(snapshots.begin(), snapshots.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return snapshots;
}

}  // namespace quasar::pass
