#include "cluster/kmeans_checkpoint.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"

namespace quasar::cluster {
namespace {

// Layout, in the machine's byte order: magic, identity, counts, centroids, sizes, statistics, then the
// xxh128 of all before as 32 hexadecimal digits.
constexpr std::array<char, 16> kMagic = {'q', 'u', 'a', 's', 'a', 'r', '-', 'k',
                                         'm', 'e', 'a', 'n', 's', '-', '1', '\n'};
constexpr std::size_t kDigest = 32;

struct Header {
  std::array<char, 16> magic{};
  KMeansIdentity identity;
  std::uint64_t iterations = 0;
  std::uint64_t converged = 0;
};

struct StoredStatistics {
  double objective;
  double imbalance;
  std::int64_t empty;
};

template <typename T>
void append(std::string& text, const T* values, std::size_t count) {
  text.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

template <typename T>
void take(const std::string& text, std::size_t& at, T* values, std::size_t count) {
  std::memcpy(values, text.data() + at, count * sizeof(T));
  at += count * sizeof(T);
}

std::string digest_of(std::string_view text) {
  return base::xxh128_hex(std::as_bytes(std::span(text.data(), text.size())));
}

[[noreturn]] void fail_damaged(const std::filesystem::path& path) {
  base::fail(base::ExitCode::kInput, "the k-means checkpoint " + path.string() +
                                         " is damaged or of another version; remove it to start over");
}

void check_same(const std::filesystem::path& path, const KMeansIdentity& stored, const KMeansIdentity& now) {
  std::string differing;
  const auto compare = [&](const char* name, auto was, auto is) {
    if (was == is) return;
    differing += (differing.empty() ? "" : ", ") + std::string(name) + " (" + std::to_string(was) +
                 " there, " + std::to_string(is) + " now)";
  };
  compare("k", stored.k, now.k);
  compare("seed", stored.seed, now.seed);
  compare("max_points_per_centroid", stored.max_points_per_centroid, now.max_points_per_centroid);
  compare("dimension", stored.dimension, now.dimension);
  compare("rows used", stored.rows_used, now.rows_used);
  compare("rows not finite", stored.rows_not_finite, now.rows_not_finite);
  compare("hash of the rows", stored.rows_hash, now.rows_hash);
  if (differing.empty()) return;
  base::fail(base::ExitCode::kMismatch, "the k-means checkpoint " + path.string() +
                                            " belongs to other work: " + differing +
                                            "; remove it to start over");
}

}  // namespace

void write_checkpoint(const std::filesystem::path& path, const KMeansIdentity& identity,
                      const KMeansState& state) {
  Header header;
  header.magic = kMagic;
  header.identity = identity;
  header.iterations = state.result.iterations.size();
  header.converged = state.converged ? 1 : 0;
  std::string text;
  append(text, &header, 1);
  append(text, state.result.centroids.data(), state.result.centroids.size());
  append(text, state.result.sizes.data(), state.result.sizes.size());
  for (const auto& statistics : state.result.iterations) {
    const StoredStatistics stored{statistics.objective, statistics.imbalance, statistics.empty};
    append(text, &stored, 1);
  }
  text += digest_of(text);
  base::write_file_atomically(path, text);
}

std::optional<KMeansState> read_checkpoint(const std::filesystem::path& path,
                                           const KMeansIdentity& identity) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const std::string text = base::read_file(path);
  if (text.size() < sizeof(Header) + kDigest) fail_damaged(path);
  const std::string_view content(text.data(), text.size() - kDigest);
  Header header;
  std::size_t at = 0;
  take(text, at, &header, 1);
  if (header.magic != kMagic || text.substr(content.size()) != digest_of(content)) fail_damaged(path);
  check_same(path, header.identity, identity);
  const auto k = static_cast<std::size_t>(identity.k);
  const std::size_t values = k * static_cast<std::size_t>(identity.dimension);
  const std::size_t body = content.size() - sizeof(Header);
  if (header.iterations > body / sizeof(StoredStatistics) ||
      body !=
          values * sizeof(float) + k * sizeof(std::int64_t) + header.iterations * sizeof(StoredStatistics)) {
    fail_damaged(path);
  }
  KMeansState state;
  state.converged = header.converged != 0;
  state.result.rows_used = identity.rows_used;
  state.result.rows_not_finite = identity.rows_not_finite;
  state.result.centroids.resize(values);
  state.result.sizes.resize(k);
  take(text, at, state.result.centroids.data(), values);
  take(text, at, state.result.sizes.data(), k);
  for (std::uint64_t i = 0; i < header.iterations; ++i) {
    StoredStatistics stored{};
    take(text, at, &stored, 1);
    state.result.iterations.push_back({stored.objective, stored.imbalance, static_cast<int>(stored.empty)});
  }
  return state;
}

}  // namespace quasar::cluster
