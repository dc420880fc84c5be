#include "cluster/hamming_pairs.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "base/errors.h"
#include "cluster/hamming_kernels.h"
#include "cluster/hash_rounds.h"

namespace quasar::cluster {
namespace {

constexpr std::size_t kWords = 16;
constexpr unsigned kWordBits = 16;
constexpr std::size_t kValues = std::size_t{1} << kWordBits;
/// Rows that every rank may have a copy of.
constexpr std::uint64_t kMostShared = std::uint64_t{1} << 18U;
/// What a home takes while it is sorted in, bytes.
constexpr std::uint64_t kHomeBytes = 2 * sizeof(HashedRow) + 2 * sizeof(std::uint64_t);
constexpr std::uint64_t kLeastHomes = 4096;
/// Pairs that are held before they are handed on take one of so many parts of the memory; their copies on the
/// way as much again.
constexpr std::uint64_t kPairsShare = 32;
constexpr std::size_t kLeastPairs = 4096;
constexpr unsigned kMostThreshold = 63;

unsigned word_of(const HashBits& bits, std::size_t word) {
  return static_cast<unsigned>(bits[word / 4] >> (kWordBits * (word % 4))) & (kValues - 1);
}

/// All differences of a word that count as near, none first.
std::vector<unsigned> near_differences(unsigned radius) {
  std::vector<unsigned> differences;
  for (unsigned value = 0; value < kValues; ++value) {
    if (static_cast<unsigned>(std::popcount(value)) <= radius) differences.push_back(value);
  }
  return differences;
}

/// How the values of a word are cut into blocks of homes, each of one rank for one pass.
class Blocks {
 public:
  /// `homes`: of all ranks, by value. `most`: homes that a block may have.
  Blocks(std::span<const std::uint64_t> homes, int ranks, std::uint64_t most)
      : first_(kValues, 0), parts_(kValues, 0) {
    // Rows of one value are compared with each other, so that their work grows with the square.
    std::vector<double> work(kValues);
    double all = 0;
    for (std::size_t value = 0; value < kValues; ++value) {
      const auto rows = static_cast<double>(homes[value]);
      work[value] = rows * rows + rows * kRowWork;
      all += work[value];
    }
    const double share = std::max(all / ranks, 1.0);
    double before = 0;       // Work of lower values.
    std::uint64_t rows = 0;  // Of the open block.
    double ends = 0;         // Work at which the open block ends.
    bool open = false;
    const auto close = [&] {
      if (std::exchange(open, false)) ++count_;
      rows = 0;
    };
    for (std::size_t value = 0; value < kValues; ++value) {
      if (homes[value] == 0) continue;
      const auto by_work = std::min(static_cast<std::uint64_t>(work[value] / share + 0.5), homes[value]);
      parts_[value] = std::max({(homes[value] + most - 1) / most, by_work, std::uint64_t{1}});
      const double middle = before + work[value] / 2;
      if (parts_[value] > 1 || rows + homes[value] > most || middle >= ends) close();
      if (!open) ends = (std::floor(middle / share) + 1) * share;
      first_[value] = count_;
      open = true;
      rows += homes[value];
      before += work[value];
      if (parts_[value] == 1) continue;
      count_ += parts_[value] - 1;
      close();
    }
    close();
  }

  std::uint64_t count() const { return count_; }
  /// Blocks of a value, from the first on; none without homes.
  std::uint64_t first(unsigned value) const { return first_[value]; }
  std::uint64_t parts(unsigned value) const { return parts_[value]; }
  std::uint64_t block_of(unsigned value, std::uint64_t number) const {
    return first_[value] + number % parts_[value];
  }

 private:
  static constexpr double kRowWork = 64;  ///< Of taking a row in, in comparisons.
  std::vector<std::uint64_t> first_;
  std::vector<std::uint64_t> parts_;
  std::uint64_t count_ = 0;
};

/// Homes of one block, by the value of a word.
class HomeTable {
 public:
  HomeTable(std::vector<HashedRow> received, std::size_t word, bool by_number)
      : begins_(kValues + 1, 0), word_(word) {
    for (const auto& row : received) ++begins_[word_of(row.bits, word) + 1];
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    rows_.resize(received.size());
    auto next = begins_;
    for (const auto& row : received) rows_[next[word_of(row.bits, word)]++] = row;
    std::vector<HashedRow>().swap(received);
    if (by_number) {
      const auto before = [](const HashedRow& a, const HashedRow& b) { return a.number < b.number; };
      for (std::size_t value = 0; value < kValues; ++value) {
        const auto begin = rows_.begin() + static_cast<std::ptrdiff_t>(begins_[value]);
        const auto end = rows_.begin() + static_cast<std::ptrdiff_t>(begins_[value + 1]);
        if (!std::is_sorted(begin, end, before)) std::sort(begin, end, before);
      }
    }
    // Half of the bits, of those that say nothing of the word, rule almost all pairs out.
    const std::size_t one = (word / 4 + 1) % 4;
    const std::size_t two = (word / 4 + 2) % 4;
    first_.reserve(rows_.size());
    second_.reserve(rows_.size());
    for (const auto& row : rows_) {
      first_.push_back(row.bits[one]);
      second_.push_back(row.bits[two]);
    }
  }

  struct Workspace {
    std::vector<std::uint32_t> found;
    std::uint64_t comparisons = 0;
  };

  /// Appends the pairs of the probe with homes of the value that are within the threshold, and not near in an
  /// earlier word.
  void compare(const HashedRow& probe, unsigned value, const NearSearch& search, unsigned radius,
               Workspace& work, std::vector<NearPair>& pairs) const {
    std::size_t begin = begins_[value];
    const std::size_t end = begins_[value + 1];
    if (search.one_set) {
      const auto after =
          std::upper_bound(rows_.begin() + static_cast<std::ptrdiff_t>(begin),
                           rows_.begin() + static_cast<std::ptrdiff_t>(end), probe.number,
                           [](std::uint64_t number, const HashedRow& row) { return number < row.number; });
      begin = static_cast<std::size_t>(after - rows_.begin());
    }
    if (begin == end) return;
    const std::size_t count = end - begin;
    work.comparisons += count;
    if (work.found.size() < count) work.found.resize(count);
    const std::size_t close =
        kernels::within_distance(std::span(first_).subspan(begin, count),
                                 std::span(second_).subspan(begin, count), probe.bits[(word_ / 4 + 1) % 4],
                                 probe.bits[(word_ / 4 + 2) % 4], search.threshold, work.found.data());
    for (std::size_t i = 0; i < close; ++i) {
      const auto& home = rows_[begin + work.found[i]];
      const unsigned distance = hamming_distance(probe.bits, home.bits);
      if (distance > search.threshold) continue;
      bool told = false;
      for (std::size_t word = 0; word < word_ && !told; ++word) {
        told = static_cast<unsigned>(std::popcount(word_of(probe.bits, word) ^ word_of(home.bits, word))) <=
               radius;
      }
      if (!told) pairs.push_back({probe.number, home.number, distance});
    }
  }

  std::size_t size() const { return rows_.size(); }

 private:
  std::vector<HashedRow> rows_;
  std::vector<std::uint64_t> first_;
  std::vector<std::uint64_t> second_;
  std::vector<std::size_t> begins_;
  std::size_t word_;
};

/// One search.
class Finder {
 public:
  Finder(const NearSearch& search, ThreadTeam& team, const comm::Communicator& comm,
         const std::function<void(std::span<const NearPair>)>& take)
      : search_(search),
        team_(team),
        comm_(comm),
        take_(take),
        radius_(search.threshold / kWordBits),
        differences_(near_differences(radius_)),
        most_pairs_(std::max<std::size_t>(
            kLeastPairs, static_cast<std::size_t>(search.memory / kPairsShare / sizeof(NearPair)) /
                             static_cast<std::size_t>(team.size()))),
        asked_(static_cast<std::size_t>(comm.size()), 0),
        work_(static_cast<std::size_t>(team.size())),
        found_(static_cast<std::size_t>(team.size())) {}

  NearSearchStatistics run() {
    std::vector<std::uint64_t> rows(2, 0);
    comm_.together([&] {
      rows[0] = count_of(search_.probes);
      rows[1] = count_of(search_.homes);
    });
    comm_.all_reduce(rows, comm::Reduction::kSum);
    if (rows[0] > 0 && rows[1] > 0) {
      const double each = static_cast<double>(rows[0]) * static_cast<double>(rows[1]) / comm_.size();
      if (each <= search_.few_pairs && std::min(rows[0], rows[1]) <= kMostShared) {
        look_at_all(rows[1] < rows[0]);
      } else {
        look_at_words();
      }
    }
    for (const auto& work : work_) statistics_.comparisons += work.comparisons;
    return statistics_;
  }

 private:
  /// Rank of a block in the pass that begins with block `first`; nothing when it is of another.
  std::optional<std::size_t> rank_of(std::uint64_t block, std::uint64_t first) const {
    if (block < first || block >= first + asked_.size()) return std::nullopt;
    return static_cast<std::size_t>(block - first);
  }

  static std::uint64_t count_of(const HashSource& source) {
    const auto next = source();
    std::vector<HashedRow> chunk;
    std::uint64_t count = 0;
    for (next(chunk, kChunkRows); !chunk.empty(); next(chunk, kChunkRows)) count += chunk.size();
    return count;
  }

  /// Compares every probe with every home, of which one side goes to all ranks.
  void look_at_all(bool homes_to_all) {
    const auto to_all = [](const HashedRow& row, std::vector<std::vector<HashedRow>>& parts) {
      for (auto& part : parts) part.push_back(row);
    };
    const auto stay = [&](const HashedRow& row, std::vector<std::vector<HashedRow>>& parts) {
      parts[static_cast<std::size_t>(comm_.rank())].push_back(row);
    };
    std::vector<HashedRow> shared;
    in_rounds(homes_to_all ? search_.homes : search_.probes, comm_, to_all,
              [&](const std::vector<std::vector<HashedRow>>& arrived) {
                for (const auto& part : arrived) shared.insert(shared.end(), part.begin(), part.end());
              });
    in_rounds(homes_to_all ? search_.probes : search_.homes, comm_, stay,
              [&](const std::vector<std::vector<HashedRow>>& arrived) {
                const auto& here = arrived[static_cast<std::size_t>(comm_.rank())];
                compare_all(homes_to_all ? here : shared, homes_to_all ? shared : here);
              });
    ++statistics_.passes;
  }

  void compare_all(const std::vector<HashedRow>& probes, const std::vector<HashedRow>& homes) {
    std::vector<std::uint64_t> first;
    std::vector<std::uint64_t> second;
    for (const auto& row : homes) {
      first.push_back(row.bits[0]);
      second.push_back(row.bits[1]);
    }
    in_threads(probes.size(), [&](std::size_t i, HomeTable::Workspace& work, std::vector<NearPair>& found) {
      work.comparisons += homes.size();
      work.found.resize(std::max(work.found.size(), homes.size()));
      const std::size_t close = kernels::within_distance(first, second, probes[i].bits[0], probes[i].bits[1],
                                                         search_.threshold, work.found.data());
      for (std::size_t c = 0; c < close; ++c) {
        const auto& home = homes[work.found[c]];
        const unsigned distance = hamming_distance(probes[i].bits, home.bits);
        if (distance > search_.threshold || (search_.one_set && probes[i].number >= home.number)) continue;
        found.push_back({probes[i].number, home.number, distance});
      }
    });
  }

  /// Does `work(i, workspace, pairs)` for all i < n of this rank and hands on the pairs, each time that there
  /// are as many as may be held. Collective.
  template <typename Work>
  void in_threads(std::size_t n, const Work& work) {
    const auto threads = static_cast<std::size_t>(team_.size());
    std::vector<std::size_t> next(threads);
    for (std::size_t t = 0; t < threads; ++t) next[t] = n * t / threads;
    bool more = true;
    while (more) {
      team_.run([&](int thread) {
        const auto t = static_cast<std::size_t>(thread);
        for (; next[t] < n * (t + 1) / threads && found_[t].size() < most_pairs_; ++next[t])
          work(next[t], work_[t], found_[t]);
      });
      more = false;
      for (std::size_t t = 0; t < threads; ++t) {
        more = more || next[t] < n * (t + 1) / threads;
        pairs_.insert(pairs_.end(), found_[t].begin(), found_[t].end());
        found_[t].clear();
      }
      take_(pairs_);
      pairs_.clear();
      more = comm_.all_reduce(std::int64_t{more ? 1 : 0}, comm::Reduction::kMax) != 0;
    }
  }

  void look_at_words() {
    std::vector<std::uint64_t> homes(kWords * kValues, 0);
    comm_.together([&] {
      const auto next = search_.homes();
      std::vector<HashedRow> chunk;
      for (next(chunk, kChunkRows); !chunk.empty(); next(chunk, kChunkRows)) {
        for (const auto& row : chunk) {
          for (std::size_t word = 0; word < kWords; ++word) ++homes[word * kValues + word_of(row.bits, word)];
        }
      }
    });
    comm_.all_reduce(homes, comm::Reduction::kSum);
    // What a rank may hold is the least that any of them may.
    const auto may_hold =
        std::max((search_.memory - 4 * (search_.memory / kPairsShare)) / kHomeBytes, kLeastHomes);
    const auto most = static_cast<std::uint64_t>(
        comm_.all_reduce(static_cast<std::int64_t>(may_hold), comm::Reduction::kMin));
    const auto ranks = static_cast<std::uint64_t>(comm_.size());
    for (std::size_t word = 0; word < kWords; ++word) {
      const Blocks blocks({homes.data() + word * kValues, kValues}, comm_.size(), most);
      for (std::uint64_t first = 0; first < blocks.count(); first += ranks) pass(word, blocks, first);
    }
  }

  void pass(std::size_t word, const Blocks& blocks, std::uint64_t first) {
    ++statistics_.passes;
    std::vector<HashedRow> homes;
    in_rounds(
        search_.homes, comm_,
        [&](const HashedRow& row, std::vector<std::vector<HashedRow>>& parts) {
          if (const auto rank = rank_of(blocks.block_of(word_of(row.bits, word), row.number), first))
            parts[*rank].push_back(row);
        },
        [&](const std::vector<std::vector<HashedRow>>& arrived) {
          for (const auto& part : arrived) homes.insert(homes.end(), part.begin(), part.end());
        });
    const HomeTable table(std::move(homes), word, search_.one_set);
    in_rounds(
        search_.probes, comm_,
        [&](const HashedRow& row, std::vector<std::vector<HashedRow>>& parts) {
          ++asking_;
          for (const unsigned difference : differences_) {
            const unsigned value = word_of(row.bits, word) ^ difference;
            const std::uint64_t begin = std::max(blocks.first(value), first);
            const std::uint64_t end =
                std::min(blocks.first(value) + blocks.parts(value), first + asked_.size());
            for (std::uint64_t block = begin; block < end; ++block) {
              const auto rank = static_cast<std::size_t>(block - first);
              if (std::exchange(asked_[rank], asking_) != asking_) parts[rank].push_back(row);
            }
          }
        },
        [&](const std::vector<std::vector<HashedRow>>& arrived) { compare(table, word, arrived); });
  }

  void compare(const HomeTable& table, std::size_t word, const std::vector<std::vector<HashedRow>>& arrived) {
    // One part after the other, as one list of probes; none where there is nothing to compare them with.
    std::vector<std::size_t> ends;
    std::size_t n = 0;
    for (const auto& part : arrived) ends.push_back(n += table.size() == 0 ? 0 : part.size());
    in_threads(n, [&](std::size_t i, HomeTable::Workspace& work, std::vector<NearPair>& found) {
      const auto part =
          static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), i) - ends.begin());
      const auto& probe = arrived[part][i - (part == 0 ? 0 : ends[part - 1])];
      for (const unsigned difference : differences_)
        table.compare(probe, word_of(probe.bits, word) ^ difference, search_, radius_, work, found);
    });
  }

  const NearSearch& search_;
  ThreadTeam& team_;
  const comm::Communicator& comm_;
  const std::function<void(std::span<const NearPair>)>& take_;
  const unsigned radius_;
  const std::vector<unsigned> differences_;
  const std::size_t most_pairs_;      ///< That a thread holds before all hand theirs on.
  std::vector<std::uint64_t> asked_;  ///< By rank: the row that was last sent there.
  std::uint64_t asking_ = 0;
  std::vector<HomeTable::Workspace> work_;
  std::vector<std::vector<NearPair>> found_;
  std::vector<NearPair> pairs_;
  NearSearchStatistics statistics_;
};

}  // namespace

unsigned hamming_distance(const HashBits& a, const HashBits& b) {
  int distance = 0;
  for (std::size_t i = 0; i < a.size(); ++i) distance += std::popcount(a[i] ^ b[i]);
  return static_cast<unsigned>(distance);
}

NearSearchStatistics find_near(const NearSearch& search, ThreadTeam& team, const comm::Communicator& comm,
                               const std::function<void(std::span<const NearPair>)>& take) {
  QUASAR_CHECK(search.threshold <= kMostThreshold);
  return Finder(search, team, comm, take).run();
}

}  // namespace quasar::cluster
