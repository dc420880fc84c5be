#include "curation/hierarchy_file.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <numeric>
#include <span>
#include <vector>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/logging.h"
#include "curation/balance_rule.h"

namespace quasar::curation {
namespace {

constexpr std::string_view kHierarchyMagic = "quasar-hierarchy";
constexpr std::size_t kSumDigits = 32;
/// Labels that travel to root at once.
constexpr std::size_t kLabelsAtOnce = std::size_t{1} << 22U;
constexpr std::uint64_t kMostClusters = std::uint64_t{1} << 31U;
constexpr std::uint64_t kMostDimension = std::uint64_t{1} << 20U;

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

/// A file with its checksum at the end.
class SummedFile {
 public:
  explicit SummedFile(const std::filesystem::path& path) : file_(path) {}
  void write(std::span<const std::byte> bytes) {
    sum_.update(bytes);
    file_.write(bytes);
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit() {
    file_.write(sum_.hex_digest());
    file_.commit();
  }

 private:
  base::AtomicFile file_;
  base::Xxh128 sum_;
};

struct Head {
  std::uint64_t dimension = 0;
  std::uint64_t rows = 0;
  std::vector<std::uint64_t> clusters;
};

/// What a stream still has.
std::uint64_t bytes_left(std::istream& stream) {
  const auto here = stream.tellg();
  stream.seekg(0, std::ios::end);
  const auto end = stream.tellg();
  stream.seekg(here);
  return here < 0 || end < here ? 0 : static_cast<std::uint64_t>(end - here);
}

template <typename T>
bool read_values(std::istream& stream, std::vector<T>& values, std::uint64_t count) {
  if (count > bytes_left(stream) / sizeof(T)) return false;
  values.resize(static_cast<std::size_t>(count));
  stream.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
  return stream.good();
}

/// Whether the checksum at the end is that of all before.
bool is_whole(const std::filesystem::path& path) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error || size < kSumDigits) return false;
  std::ifstream stream(path, std::ios::binary);
  base::Xxh128 sum;
  std::vector<char> buffer(std::size_t{1} << 20U);
  std::uint64_t left = size - kSumDigits;
  while (left > 0) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    if (!stream.read(buffer.data(), static_cast<std::streamsize>(piece))) return false;
    sum.update(std::string_view(buffer.data(), piece));
    left -= piece;
  }
  std::string digest(kSumDigits, '\0');
  return stream.read(digest.data(), kSumDigits) && digest == sum.hex_digest();
}

/// Reads up to the first label. False when it does not hold together.
bool read_levels(std::istream& stream, std::string& identity, Head& head, cluster::Hierarchy& hierarchy) {
  std::string magic(kHierarchyMagic.size(), '\0');
  identity.resize(kSumDigits);
  if (!stream.read(magic.data(), static_cast<std::streamsize>(magic.size())) || magic != kHierarchyMagic)
    return false;
  if (!stream.read(identity.data(), kSumDigits)) return false;
  std::vector<std::uint64_t> numbers;
  if (!read_values(stream, numbers, 3)) return false;
  head.dimension = numbers[0];
  head.rows = numbers[2];
  if (head.dimension == 0 || head.dimension > kMostDimension || numbers[1] == 0 || numbers[1] > kMostLevels)
    return false;
  if (!read_values(stream, head.clusters, numbers[1])) return false;
  for (std::size_t l = 0; l < head.clusters.size(); ++l) {
    if (head.clusters[l] == 0 || head.clusters[l] >= (l == 0 ? kMostClusters : head.clusters[l - 1]))
      return false;
  }
  hierarchy.levels.resize(head.clusters.size());
  for (std::size_t l = 0; l < head.clusters.size(); ++l) {
    if (!read_values(stream, hierarchy.levels[l].centroids, head.clusters[l] * head.dimension)) return false;
  }
  for (std::size_t l = 0; l + 1 < head.clusters.size(); ++l) {
    if (!read_values(stream, hierarchy.levels[l].parents, head.clusters[l])) return false;
    for (const std::int32_t parent : hierarchy.levels[l].parents) {
      if (parent < 0 || static_cast<std::uint64_t>(parent) >= head.clusters[l + 1]) return false;
    }
  }
  return true;
}

/// Rows on the ranks before, and on all.
std::pair<std::uint64_t, std::uint64_t> rows_before(std::size_t rows, const comm::Communicator& comm) {
  std::vector<std::uint64_t> all(static_cast<std::size_t>(comm.size()), 0);
  all[static_cast<std::size_t>(comm.rank())] = rows;
  comm.all_reduce(all, comm::Reduction::kSum);
  const auto here = all.begin() + comm.rank();
  return {std::accumulate(all.begin(), here, std::uint64_t{0}),
          std::accumulate(all.begin(), all.end(), std::uint64_t{0})};
}

/// Sizes of all levels, from the labels of all ranks. Collective.
void count_sizes(cluster::Hierarchy& hierarchy, const comm::Communicator& comm) {
  for (std::size_t l = 0; l < hierarchy.levels.size(); ++l) {
    auto& level = hierarchy.levels[l];
    if (l == 0) {
      for (const std::int32_t label : hierarchy.labels) ++level.sizes[static_cast<std::size_t>(label)];
      comm.all_reduce(level.sizes, comm::Reduction::kSum);
      continue;
    }
    const auto& below = hierarchy.levels[l - 1];
    for (std::size_t c = 0; c < below.sizes.size(); ++c)
      level.sizes[static_cast<std::size_t>(below.parents[c])] += below.sizes[c];
  }
}

}  // namespace

void write_hierarchy(const std::filesystem::path& path, const std::string& identity, std::size_t dimension,
                     const cluster::Hierarchy& hierarchy, const comm::Communicator& comm) {
  QUASAR_CHECK(identity.size() == kSumDigits);
  const std::uint64_t rows = rows_before(hierarchy.labels.size(), comm).second;
  std::optional<SummedFile> file;
  comm.on_root([&] {
    file.emplace(path);
    file->write(kHierarchyMagic);
    file->write(identity);
    std::vector<std::uint64_t> numbers = {dimension, hierarchy.levels.size(), rows};
    for (const auto& level : hierarchy.levels) numbers.push_back(level.sizes.size());
    file->write(bytes_of(numbers));
    for (const auto& level : hierarchy.levels) file->write(bytes_of(level.centroids));
    for (const auto& level : hierarchy.levels) file->write(bytes_of(level.parents));
  });
  std::vector<std::int32_t> piece;
  for (int rank = 0; rank < comm.size(); ++rank) {
    std::size_t done = 0;
    do {
      if (comm.rank() == rank) {
        const auto rest = std::span(hierarchy.labels).subspan(done);
        const auto next = rest.first(std::min(rest.size(), kLabelsAtOnce));
        piece.assign(next.begin(), next.end());
        done += piece.size();
      }
      comm.broadcast(piece, rank);
      comm.on_root([&] { file->write(bytes_of(piece)); });
    } while (piece.size() == kLabelsAtOnce);
  }
  comm.on_root([&] { file->commit(); });
}

std::optional<cluster::Hierarchy> read_hierarchy(const std::filesystem::path& path,
                                                 const std::string& identity, std::size_t rows,
                                                 const comm::Communicator& comm) {
  // Named, as Clang 14 captures no structured bindings.
  const auto place = rows_before(rows, comm);
  const std::uint64_t before = place.first;
  const std::uint64_t all = place.second;
  // Root alone says whether it is used, so that all do the same.
  std::int64_t usable = 0;
  comm.on_root([&] {
    if (!std::filesystem::exists(path)) return;
    std::ifstream stream(path, std::ios::binary);
    std::string stored;
    Head head;
    cluster::Hierarchy ignored;
    if (!is_whole(path) || !read_levels(stream, stored, head, ignored)) {
      base::log_warning("{} is damaged or of another version; its clusters are made again", path.string());
      return;
    }
    usable = stored == identity && head.rows == all ? 1 : 0;
  });
  if (comm.all_reduce(usable, comm::Reduction::kMax) == 0) return std::nullopt;
  cluster::Hierarchy hierarchy;
  comm.together([&] {
    std::ifstream stream(path, std::ios::binary);
    std::string stored;
    Head head;
    bool sound = read_levels(stream, stored, head, hierarchy) && stored == identity;
    if (sound) {
      stream.seekg(static_cast<std::streamoff>(before * sizeof(std::int32_t)), std::ios::cur);
      sound = read_values(stream, hierarchy.labels, rows);
    }
    for (const std::int32_t label : hierarchy.labels)
      sound = sound && label >= 0 && static_cast<std::uint64_t>(label) < head.clusters[0];
    if (!sound) base::fail(base::ExitCode::kInput, path.string() + " cannot be read as rank 0 sees it");
    for (std::size_t l = 0; l < head.clusters.size(); ++l)
      hierarchy.levels[l].sizes.assign(static_cast<std::size_t>(head.clusters[l]), 0);
  });
  count_sizes(hierarchy, comm);
  return hierarchy;
}

}  // namespace quasar::curation
