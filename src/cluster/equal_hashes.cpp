#include "cluster/equal_hashes.h"

#include <algorithm>
#include <vector>

#include "base/errors.h"
#include "cluster/hash_rounds.h"

namespace quasar::cluster {
namespace {

constexpr std::uint64_t kLeastRows = 4096;

/// Spreads hashes evenly, whatever they are of.
std::uint64_t mixed(const HashBits& bits) {
  std::uint64_t value = 0;
  for (const std::uint64_t part : bits) {
    // SplitMix64's steps (Steele, Lea, Flood 2014).
    value += part + 0x9E3779B97F4A7C15U;
    value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
    value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
    value ^= value >> 31U;
  }
  return value;
}

/// The lowest number of each hash that has come.
class LowestNumbers {
 public:
  void add(const std::vector<HashedRow>& rows) {
    rows_.insert(rows_.end(), rows.begin(), rows.end());
    if (rows_.size() > 2 * distinct_ + kChunkRows) settle();
  }
  void settle() {
    std::sort(rows_.begin(), rows_.end(), [](const HashedRow& a, const HashedRow& b) {
      return a.bits != b.bits ? a.bits < b.bits : a.number < b.number;
    });
    const auto same = [](const HashedRow& a, const HashedRow& b) { return a.bits == b.bits; };
    rows_.erase(std::unique(rows_.begin(), rows_.end(), same), rows_.end());
    distinct_ = rows_.size();
  }
  std::uint64_t of(const HashBits& bits) const {
    const auto found =
        std::lower_bound(rows_.begin(), rows_.end(), bits,
                         [](const HashedRow& row, const HashBits& wanted) { return row.bits < wanted; });
    QUASAR_CHECK(found != rows_.end() && found->bits == bits);
    return found->number;
  }

 private:
  std::vector<HashedRow> rows_;
  std::size_t distinct_ = 0;
};

}  // namespace

void find_equal(const HashSource& rows, std::uint64_t memory, const comm::Communicator& comm,
                const std::function<void(std::uint64_t number, std::uint64_t lowest)>& take) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::int64_t count = 0;
  comm.together([&] {
    const auto next = rows();
    std::vector<HashedRow> chunk;
    for (next(chunk, kChunkRows); !chunk.empty(); next(chunk, kChunkRows))
      count += static_cast<std::int64_t>(chunk.size());
  });
  const auto all = static_cast<std::uint64_t>(comm.all_reduce(count, comm::Reduction::kSum));
  // Until they are settled, three times as many lie here as there are distinct ones.
  const std::uint64_t held = std::max(memory / (3 * sizeof(HashedRow)), kLeastRows);
  const auto passes = static_cast<std::uint64_t>(
      comm.all_reduce(static_cast<std::int64_t>(all / ranks / held + 1), comm::Reduction::kMax));
  for (std::uint64_t pass = 0; pass < passes; ++pass) {
    LowestNumbers lowest;
    std::vector<std::vector<std::uint64_t>> sent(ranks);
    const auto route = [&](const HashedRow& row, std::vector<std::vector<HashedRow>>& parts) {
      const std::uint64_t place = mixed(row.bits);
      if (place / ranks % passes != pass) return;
      parts[place % ranks].push_back(row);
      sent[place % ranks].push_back(row.number);
    };
    const auto forget = [&] {
      for (auto& part : sent) part.clear();
    };
    in_rounds(rows, comm, route, [&](const std::vector<std::vector<HashedRow>>& arrived) {
      for (const auto& part : arrived) lowest.add(part);
      forget();
    });
    lowest.settle();
    in_rounds(rows, comm, route, [&](const std::vector<std::vector<HashedRow>>& arrived) {
      std::vector<std::vector<std::uint64_t>> answers(ranks);
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        for (const auto& row : arrived[rank]) answers[rank].push_back(lowest.of(row.bits));
      }
      const auto answered = comm.exchange(answers);
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        for (std::size_t i = 0; i < answered[rank].size(); ++i) {
          if (answered[rank][i] != sent[rank][i]) take(sent[rank][i], answered[rank][i]);
        }
      }
      forget();
    });
  }
}

}  // namespace quasar::cluster
