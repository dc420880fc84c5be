#include "cluster/cosine_pairs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>
#include <utility>

#include "base/activity.h"
#include "base/descriptor.h"
#include "base/errors.h"
#include "base/read_at.h"
#include "cluster/blas.h"
#include "cluster/kmeans.h"
#include "cluster/kmeans_memory.h"
#include "cluster/row_kernels.h"
#include "comm/cores.h"

namespace quasar::cluster {
namespace {

constexpr std::uint64_t kRowsOfCluster = 4096;
/// Rows of a tile, where memory allows.
constexpr std::size_t kTileRows = 512;
constexpr std::size_t kLeastTile = 16;
/// Rows that a rank sends to others at once.
constexpr std::size_t kRowsSent = 4096;
constexpr std::size_t kLeastSent = 256;
/// Pairs that a rank gathers, before they are handed on.
constexpr std::size_t kPairsAtOnce = std::size_t{1} << 20U;
constexpr double kUnit = 0x1p-24;

/// A row in a cluster.
struct Member {
  std::uint64_t cluster = 0;
  std::uint64_t number = 0;
  friend bool operator<(const Member& a, const Member& b) {
    return std::pair(a.cluster, a.number) < std::pair(b.cluster, b.number);
  }
};

[[noreturn]] void fail(base::ExitCode code, const char* what, const std::filesystem::path& path, int error) {
  base::fail(code, std::string("cannot ") + what + " " + path.string() + ": " +
                       (error == 0 ? "it is too short" : std::strerror(error)));
}

/// Rows of a source, of length 1; those without direction hold NaN.
class UnitRows final : public RowSource {
 public:
  explicit UnitRows(RowSource& rows) : rows_(rows) {}
  std::size_t dimension() const override { return rows_.dimension(); }
  std::int64_t size() const override { return rows_.size(); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    rows_.read(first, count, values, numbers);
    const std::size_t d = dimension();
    for (std::size_t at = 0; at < values.size(); at += d) {
      const auto row = values.subspan(at, d);
      double square = 0;
      for (const float value : row) square += static_cast<double>(value) * static_cast<double>(value);
      const bool sound = std::isfinite(square) && square > 0;
      const double scale = sound ? 1 / std::sqrt(square) : std::numeric_limits<double>::quiet_NaN();
      for (float& value : row) value = static_cast<float>(static_cast<double>(value) * scale);
    }
  }

 private:
  RowSource& rows_;
};

/// The nearest two of the centroids of each of some rows, ties to the lower number: by products as a bound,
/// and squared distances in a fixed order.
class NearestTwo {
 public:
  NearestTwo(std::span<const float> centroids, std::size_t dimension)
      : centroids_(centroids), d_(dimension), k_(centroids.size() / dimension) {
    double longest = 1;
    for (std::size_t c = 0; c < k_; ++c) {
      double square = 0;
      for (std::size_t j = 0; j < d_; ++j) {
        const auto value = static_cast<double>(centroids[c * d_ + j]);
        square += value * value;
      }
      squares_.push_back(static_cast<float>(square));
      longest = std::max(longest, square);
    }
    // Products err by d u |x||c|, and squared distances, up to 4 of the longest, by (d + 8) u of themselves.
    margin_ = static_cast<float>(16 * static_cast<double>(d_ + 8) * kUnit * longest);
  }

  /// places [n, 2], the nearest first; the same twice where there is one cluster.
  void search(std::span<const float> rows, std::size_t n, std::span<std::uint64_t> places) {
    products_.resize(n * k_);
    multiply_transposed(rows.data(), static_cast<int>(n), centroids_.data(), static_cast<int>(k_),
                        static_cast<int>(d_), products_.data());
    for (std::size_t i = 0; i < n; ++i) {
      const float* products = products_.data() + i * k_;
      float least[2] = {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
      for (std::size_t c = 0; c < k_; ++c) {
        const float score = squares_[c] - 2 * products[c];
        if (score < least[0]) {
          least[1] = std::exchange(least[0], score);
        } else if (score < least[1]) {
          least[1] = score;
        }
      }
      std::pair<float, std::uint64_t> best[2] = {{std::numeric_limits<float>::infinity(), 0},
                                                 {std::numeric_limits<float>::infinity(), 0}};
      for (std::size_t c = 0; c < k_; ++c) {
        if (k_ > 2 && squares_[c] - 2 * products[c] > least[1] + margin_) continue;
        const std::pair<float, std::uint64_t> found{
            kernels::squared_distance(rows.data() + i * d_, centroids_.data() + c * d_, d_), c};
        if (found < best[0]) {
          best[1] = std::exchange(best[0], found);
        } else if (found < best[1]) {
          best[1] = found;
        }
      }
      places[2 * i] = best[0].second;
      places[2 * i + 1] = k_ > 1 ? best[1].second : best[0].second;
    }
  }

 private:
  std::span<const float> centroids_;
  std::size_t d_;
  std::size_t k_;
  std::vector<float> squares_;
  float margin_ = 0;
  std::vector<float> products_;
};

}  // namespace

int default_clusters(std::uint64_t rows) {
  const auto most = static_cast<std::uint64_t>(std::sqrt(2 * static_cast<double>(rows)));
  return static_cast<int>(std::clamp<std::uint64_t>(std::min(rows / kRowsOfCluster, most), 1, 1U << 24U));
}

struct CosinePairs::Impl {
  const comm::Communicator& comm;
  std::function<bool()> stop_requested;
  std::filesystem::path folder;
  std::size_t d;
  std::size_t tile = kTileRows;
  float most_distance;  ///< Squared, of a pair.
  float least_product;  ///< Below, it is none for certain.
  int clusters_of_row;
  std::uint64_t without_direction = 0;
  std::atomic<std::uint64_t> products = 0;
  // By cluster: members, which rank's files hold them, and from which place on.
  std::vector<std::uint64_t> sizes;
  std::vector<std::size_t> holder;
  std::vector<std::uint64_t> place;
  // By rank.
  std::vector<base::Descriptor> vectors;
  std::vector<base::Descriptor> numbers;

  Impl(RowSource& rows, const CosineSettings& settings, const comm::Communicator& ranks,
       const std::function<bool()>& stop)
      : comm(ranks),
        stop_requested(stop),
        folder(settings.folder),
        d(rows.dimension()),
        most_distance(static_cast<float>(2 * (1 - settings.threshold))),
        // A product errs by d u, its rows' lengths by as much at the most, and the squared distance by
        // (d + 8) u of itself.
        least_product(static_cast<float>(settings.threshold - 4 * static_cast<double>(d + 8) * kUnit - 1e-6)),
        clusters_of_row(settings.clusters_of_row) {}

  std::filesystem::path file(const char* what, std::size_t rank) const {
    return folder / ("cosine-" + std::string(what) + "-" + std::to_string(rank));
  }
  void check_stop() const {
    if (stop_requested && stop_requested())
      base::fail(base::ExitCode::kInterrupted,
                 "stopped while looking for duplicates; the same command starts again");
  }

  std::vector<float> centroids_of(UnitRows& rows, const CosineSettings& settings, std::uint64_t total) const;
  void place_clusters();
  void write(UnitRows& rows, std::span<const float> centroids, std::uint64_t memory);
  void open_files(bool create);
  void read_at(const base::Descriptor& from, std::size_t rank, const char* what, std::span<std::byte> bytes,
               std::uint64_t offset) const;
  struct Strip;
  struct Workspace;
  void search(const Strip& strip, const Wanted& wanted, Workspace& work);
  void multiply(const Wanted& wanted, Workspace& work);
};

std::vector<float> CosinePairs::Impl::centroids_of(UnitRows& rows, const CosineSettings& settings,
                                                   std::uint64_t total) const {
  if (!settings.centroids.empty()) {
    QUASAR_CHECK(settings.centroids.size() % d == 0);
    return settings.centroids;
  }
  KMeansConfig config;
  config.k = static_cast<int>(std::min<std::uint64_t>(
      total,
      static_cast<std::uint64_t>(settings.clusters > 0 ? settings.clusters : default_clusters(total))));
  if (config.k == 1) return std::vector<float>(d, 0);
  config.iterations = 10;
  config.max_points_per_centroid = 256;
  KMeansRuntime runtime;
  runtime.threads = comm::cores_of_rank(comm);
  runtime.memory_bytes = std::max(settings.memory, least_kmeans_memory(d, config.k, runtime.threads));
  runtime.stop_requested = stop_requested;
  return kmeans(rows, config, comm, {}, runtime).centroids;
}

/// Gives consecutive clusters to the ranks, of about as many rows each.
void CosinePairs::Impl::place_clusters() {
  std::uint64_t total = 0;
  for (const auto size : sizes) total += size;
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  std::vector<std::uint64_t> filled(ranks, 0);
  std::uint64_t before = 0;
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    const std::uint64_t rank = total == 0 ? 0 : std::min(ranks - 1, before * ranks / total);
    holder.push_back(rank);
    place.push_back(filled[rank]);
    filled[rank] += sizes[c];
    before += sizes[c];
  }
}

void CosinePairs::Impl::open_files(bool create) {
  vectors.clear();
  numbers.clear();
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(comm.size()); ++rank) {
    const bool mine = rank == static_cast<std::size_t>(comm.rank());
    for (const auto& [what, to] : {std::pair("vectors", &vectors), std::pair("numbers", &numbers)}) {
      if (create && !mine) {
        to->emplace_back();
        continue;
      }
      const auto path = file(what, rank);
      to->emplace_back(
          ::open(path.c_str(), create ? O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600));
      if (!to->back().is_open())
        fail(create ? base::ExitCode::kOutput : base::ExitCode::kInput, create ? "create" : "open", path,
             errno);
    }
  }
}

void CosinePairs::Impl::read_at(const base::Descriptor& from, std::size_t rank, const char* what,
                                std::span<std::byte> bytes, std::uint64_t offset) const {
  const auto read = base::read_at(from, offset, bytes);
  if (read.bytes != bytes.size()) fail(base::ExitCode::kInput, "read", file(what, rank), read.error);
}

/// Puts every row's vector where its clusters lie, in the order of numbers.
void CosinePairs::Impl::write(UnitRows& rows, std::span<const float> centroids, std::uint64_t memory) {
  const std::size_t k = centroids.size() / d;
  const auto size = static_cast<std::size_t>(rows.size());
  const auto ranks = static_cast<std::size_t>(comm.size());
  NearestTwo nearest(centroids, d);
  const std::size_t at_once = std::clamp<std::size_t>(
      static_cast<std::size_t>(memory / (8 * (d + k) * sizeof(float))), kLeastSent, kRowsSent);
  std::vector<std::uint64_t> clusters(2 * size);
  std::vector<float> values;
  std::vector<std::int64_t> row_numbers;
  sizes.assign(k, 0);
  constexpr std::uint64_t kNowhere = std::numeric_limits<std::uint64_t>::max();
  comm.together([&] {
    for (std::size_t first = 0; first < size; first += at_once) {
      check_stop();
      const std::size_t count = std::min(at_once, size - first);
      values.resize(count * d);
      rows.read(static_cast<std::int64_t>(first), static_cast<std::int64_t>(count), values, {});
      std::vector<char> sound(count, 1);
      for (std::size_t i = 0; i < count; ++i) {
        if (std::isfinite(values[i * d])) continue;
        sound[i] = 0;
        std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(i * d), d, 0.0F);
      }
      nearest.search(values, count, std::span(clusters).subspan(2 * first, 2 * count));
      for (std::size_t i = 0; i < count; ++i) {
        auto* own = clusters.data() + 2 * (first + i);
        if (sound[i] == 0) {
          own[0] = own[1] = kNowhere;
          ++without_direction;
          continue;
        }
        if (clusters_of_row == 1 || own[1] == own[0]) own[1] = kNowhere;
        for (int j = 0; j < 2; ++j) {
          if (own[j] != kNowhere) ++sizes[own[j]];
        }
      }
      base::note_activity();
    }
  });
  comm.all_reduce(sizes, comm::Reduction::kSum);
  comm.all_reduce(std::span(&without_direction, 1), comm::Reduction::kSum);
  place_clusters();
  comm.together([&] { open_files(true); });

  // First the numbers, by which each member gets its place, then the vectors.
  std::vector<Member> members;
  const auto in_rounds = [&](bool with_values, const auto& arrive) {
    std::size_t first = 0;
    while (comm.all_reduce(static_cast<std::int64_t>(size - first), comm::Reduction::kMax) != 0) {
      const std::size_t count = std::min(at_once, size - first);
      std::vector<std::vector<Member>> parts(ranks);
      std::vector<std::vector<float>> value_parts(ranks);
      comm.together([&] {
        check_stop();
        row_numbers.resize(count);
        values.resize(with_values ? count * d : 0);
        if (count > 0)
          rows.read(static_cast<std::int64_t>(first), static_cast<std::int64_t>(count), values, row_numbers);
        for (std::size_t i = 0; i < count; ++i) {
          for (int j = 0; j < 2; ++j) {
            const std::uint64_t cluster = clusters[2 * (first + i) + static_cast<std::size_t>(j)];
            if (cluster == kNowhere) continue;
            parts[holder[cluster]].push_back({cluster, static_cast<std::uint64_t>(row_numbers[i])});
            if (!with_values) continue;
            const auto row = values.begin() + static_cast<std::ptrdiff_t>(i * d);
            auto& part = value_parts[holder[cluster]];
            part.insert(part.end(), row, row + static_cast<std::ptrdiff_t>(d));
          }
        }
      });
      const auto arrived = comm.exchange(parts);
      const auto arrived_values = comm.exchange(value_parts);
      comm.together([&] {
        for (std::size_t rank = 0; rank < ranks; ++rank) arrive(arrived[rank], arrived_values[rank]);
      });
      first += count;
      base::note_activity();
    }
  };
  in_rounds(false, [&](const std::vector<Member>& part, const std::vector<float>&) {
    members.insert(members.end(), part.begin(), part.end());
  });
  std::sort(members.begin(), members.end());
  const auto own = static_cast<std::size_t>(comm.rank());
  const auto write_at = [&](const base::Descriptor& to, const char* what, const char* bytes,
                            std::size_t length, std::uint64_t offset) {
    for (std::size_t done = 0; done < length;) {
      const auto count =
          ::pwrite(to.number(), bytes + done, length - done, static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) fail(base::ExitCode::kOutput, "write", file(what, own), errno);
      done += static_cast<std::size_t>(count);
    }
  };
  comm.together([&] {
    std::vector<std::uint64_t> ordered;
    ordered.reserve(members.size());
    for (const auto& member : members) ordered.push_back(member.number);
    write_at(numbers[own], "numbers", reinterpret_cast<const char*>(ordered.data()),
             ordered.size() * sizeof(std::uint64_t), 0);
  });
  in_rounds(true, [&](const std::vector<Member>& part, const std::vector<float>& part_values) {
    for (std::size_t i = 0; i < part.size(); ++i) {
      const auto at = static_cast<std::uint64_t>(std::lower_bound(members.begin(), members.end(), part[i]) -
                                                 members.begin());
      write_at(vectors[own], "vectors", reinterpret_cast<const char*>(part_values.data() + i * d),
               d * sizeof(float), at * d * sizeof(float));
    }
  });
  // Other hosts see what is closed.
  comm.together([&] {
    for (const auto& [what, files] : {std::pair("vectors", &vectors), std::pair("numbers", &numbers)}) {
      if (const int error = (*files)[own].close(); error != 0)
        fail(base::ExitCode::kOutput, "write", file(what, own), error);
    }
  });
  comm.together([&] { open_files(false); });
}

/// Some members of a cluster, each to be compared with those of higher numbers.
struct CosinePairs::Impl::Strip {
  std::size_t cluster = 0;
  std::uint64_t first = 0;  ///< In the cluster.
};

struct CosinePairs::Impl::Workspace {
  std::vector<std::uint64_t> numbers;  ///< Of the cluster, from the strip's first on.
  std::vector<float> read;
  std::vector<float> probes;
  std::vector<std::uint64_t> probe_numbers;
  std::vector<float> homes;
  std::vector<std::uint64_t> home_numbers;
  std::vector<float> products;
  std::vector<NearPair> pairs;
};

void CosinePairs::Impl::search(const Strip& strip, const Wanted& wanted, Workspace& work) {
  const std::size_t rank = holder[strip.cluster];
  const std::uint64_t begin = place[strip.cluster] + strip.first;
  work.numbers.resize(static_cast<std::size_t>(sizes[strip.cluster] - strip.first));
  read_at(numbers[rank], rank, "numbers", std::as_writable_bytes(std::span(work.numbers)),
          begin * sizeof(std::uint64_t));
  // Rows of a stretch that are wanted, behind those that are there; the stretch is not read where none is.
  const auto load = [&](std::size_t from, std::size_t to, const auto& is_wanted, std::vector<float>& rows,
                        std::vector<std::uint64_t>& row_numbers) {
    const auto any = [&](std::size_t at) { return is_wanted(work.numbers[at]); };
    while (from < to && !any(from)) ++from;
    while (from < to && !any(to - 1)) --to;
    if (from == to) return;
    work.read.resize((to - from) * d);
    read_at(vectors[rank], rank, "vectors", std::as_writable_bytes(std::span(work.read)),
            (begin + from) * d * sizeof(float));
    for (std::size_t at = from; at < to; ++at) {
      if (!any(at)) continue;
      const auto row = work.read.begin() + static_cast<std::ptrdiff_t>((at - from) * d);
      rows.insert(rows.end(), row, row + static_cast<std::ptrdiff_t>(d));
      row_numbers.push_back(work.numbers[at]);
    }
  };
  work.probes.clear();
  work.probe_numbers.clear();
  work.homes.clear();
  work.home_numbers.clear();
  const std::size_t all = work.numbers.size();
  load(0, std::min(tile, all), wanted.probe, work.probes, work.probe_numbers);
  if (work.probe_numbers.empty()) return;
  for (std::size_t from = 0; from < all; from += tile) {
    load(from, std::min(from + tile, all), wanted.home, work.homes, work.home_numbers);
    if (work.home_numbers.size() >= tile) multiply(wanted, work);
  }
  multiply(wanted, work);
}

void CosinePairs::Impl::multiply(const Wanted& wanted, Workspace& work) {
  const std::size_t n = work.home_numbers.size();
  const std::size_t m = work.probe_numbers.size();
  if (n == 0) return;
  work.products.resize(n * m);
  multiply_transposed(work.homes.data(), static_cast<int>(n), work.probes.data(), static_cast<int>(m),
                      static_cast<int>(d), work.products.data());
  products += n * m;
  for (std::size_t h = 0; h < n; ++h) {
    const float* row = work.products.data() + h * m;
    for (std::size_t p = 0; p < m && work.probe_numbers[p] < work.home_numbers[h]; ++p) {
      if (row[p] < least_product) continue;
      const float distance =
          kernels::squared_distance(work.probes.data() + p * d, work.homes.data() + h * d, d);
      if (!(distance <= most_distance)) continue;
      const auto units = std::llround(static_cast<double>(distance) / 2 * kCosineUnits);
      work.pairs.push_back({work.probe_numbers[p], work.home_numbers[h], static_cast<std::uint64_t>(units)});
      if (wanted.best_only) break;
    }
  }
  work.homes.clear();
  work.home_numbers.clear();
}

CosinePairs::CosinePairs(RowSource& rows, const CosineSettings& settings, const comm::Communicator& comm,
                         const std::function<bool()>& stop_requested) {
  comm.together([&] {
    QUASAR_CHECK(settings.threshold > 0 && settings.threshold <= 1 && rows.dimension() > 0);
    impl_ = std::make_unique<Impl>(rows, settings, comm, stop_requested);
  });
  auto& impl = *impl_;
  UnitRows unit(rows);
  std::uint64_t total = 0;
  {
    // k-means does not count what is not finite.
    std::int64_t finite = 0;
    comm.together([&] {
      std::vector<float> values;
      const std::int64_t at_once = 1024;
      for (std::int64_t first = 0; first < unit.size(); first += at_once) {
        const auto count = std::min(at_once, unit.size() - first);
        values.resize(static_cast<std::size_t>(count) * impl.d);
        unit.read(first, count, values, {});
        for (std::size_t at = 0; at < values.size(); at += impl.d)
          finite += std::isfinite(values[at]) ? 1 : 0;
      }
    });
    total = static_cast<std::uint64_t>(comm.all_reduce(finite, comm::Reduction::kSum));
  }
  if (total == 0) {
    impl.without_direction = static_cast<std::uint64_t>(comm.all_reduce(unit.size(), comm::Reduction::kSum));
    return;
  }
  const auto threads = static_cast<std::uint64_t>(comm::cores_of_rank(comm));
  while (impl.tile > kLeastTile &&
         threads * impl.tile * (4 * impl.d + 2 * impl.tile) * sizeof(float) > settings.memory / 2)
    impl.tile /= 2;
  const auto centroids = impl.centroids_of(unit, settings, total);
  impl.write(unit, centroids, settings.memory / 2);
}

CosinePairs::~CosinePairs() {
  if (!impl_) return;
  std::error_code ignored;
  for (const char* what : {"vectors", "numbers"})
    std::filesystem::remove(impl_->file(what, static_cast<std::size_t>(impl_->comm.rank())), ignored);
}

int CosinePairs::clusters() const {
  return static_cast<int>(impl_->sizes.size());
}

std::uint64_t CosinePairs::without_direction() const {
  return impl_->without_direction;
}

std::uint64_t CosinePairs::products() const {
  return impl_->products;
}

void CosinePairs::find(const Wanted& wanted, ThreadTeam& team,
                       const std::function<void(std::span<const NearPair>)>& take) {
  auto& impl = *impl_;
  const auto ranks = static_cast<std::uint64_t>(impl.comm.size());
  const auto rank = static_cast<std::uint64_t>(impl.comm.rank());
  // Strips of all clusters, one after the other, fall to the ranks in turn.
  std::vector<Impl::Strip> strips;
  std::uint64_t number = 0;
  for (std::size_t c = 0; c < impl.sizes.size(); ++c) {
    for (std::uint64_t first = 0; first < impl.sizes[c]; first += impl.tile) {
      if (number++ % ranks == rank) strips.push_back({c, first});
    }
  }
  std::vector<Impl::Workspace> work(static_cast<std::size_t>(team.size()));
  std::atomic<std::size_t> next = 0;
  std::atomic<std::size_t> found = 0;
  std::vector<NearPair> pairs;
  while (impl.comm.all_reduce(std::int64_t{next < strips.size() ? 1 : 0}, comm::Reduction::kMax) != 0) {
    impl.comm.together([&] {
      found = 0;
      std::size_t reached = 0;
      team.run([&](int thread) {
        auto& own = work[static_cast<std::size_t>(thread)];
        while (found < kPairsAtOnce) {
          impl.check_stop();
          const std::size_t at = next++;
          if (at >= strips.size()) break;
          const std::size_t before = own.pairs.size();
          impl.search(strips[at], wanted, own);
          found += own.pairs.size() - before;
          base::note_activity();
        }
      });
      reached = std::min<std::size_t>(next, strips.size());
      next = reached;
      pairs.clear();
      for (auto& own : work) {
        pairs.insert(pairs.end(), own.pairs.begin(), own.pairs.end());
        own.pairs.clear();
      }
    });
    take(pairs);
  }
}

}  // namespace quasar::cluster
