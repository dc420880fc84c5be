#include "cluster/training_rows.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <future>
#include <limits>
#include <mutex>
#include <numeric>

#include "base/activity.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "cluster/exact_sum.h"

namespace quasar::cluster {
namespace {

constexpr std::int64_t kWindow = std::int64_t{1} << 23;  // Numbers whose bits are joined over ranks at once.
constexpr std::uint64_t kLargestChunk = std::uint64_t{16} << 20U;
constexpr std::int64_t kScanRows = 64;

}  // namespace

/// Rows first..first+count-1 of the source, in memory at `values`.
struct TrainingRows::Chunk {
  std::int64_t first = 0;
  std::int64_t count = 0;
  const float* values = nullptr;
  std::vector<std::int64_t> numbers;  ///< Only in a pass over all rows.
};

TrainingRows::TrainingRows(RowSource& source, const RowBudget& budget, ThreadTeam& team,
                           const comm::Communicator& comm)
    : source_(source), budget_(budget), team_(team), comm_(comm) {
  const std::int64_t size = source_.size();
  comm_.together([&] {
    const bool resident = !source_.resident().empty();
    if (!resident && fits(size)) {
      kept_.resize(static_cast<std::size_t>(size) * dimension());
    }
    for_each_chunk(true, [&](const Chunk& chunk) { scan_chunk(chunk); });
    kept_all_ = resident || fits(size);
  });
  total_ = std::accumulate(runs_.begin(), runs_.end(), std::int64_t{0},
                           [](std::int64_t sum, const RowRun& run) { return sum + run.length; });
  not_finite_ = comm_.all_reduce(size - total_, comm::Reduction::kSum);
  total_ = comm_.all_reduce(total_, comm::Reduction::kSum);
  largest_ = comm_.all_reduce(largest_, comm::Reduction::kMax);
  comm_.all_reduce(std::span(&fingerprint_, 1), comm::Reduction::kSum);
}

bool TrainingRows::fits(std::int64_t rows) const {
  return static_cast<std::uint64_t>(rows) * dimension() * sizeof(float) <= budget_.bytes;
}

std::int64_t TrainingRows::chunk_rows(std::uint64_t budget, std::size_t dimension) {
  const std::uint64_t bytes = std::min(budget / 2, kLargestChunk);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(bytes / (dimension * sizeof(float))));
}

std::uint64_t TrainingRows::row_bytes() const {
  if (!kept_.empty()) return kept_.size() * sizeof(float);
  if (!source_.resident().empty()) return 0;
  const auto rows = std::min(source_.size(), 2 * chunk_rows(budget_.bytes, dimension()));
  return static_cast<std::uint64_t>(rows) * dimension() * sizeof(float);
}

void TrainingRows::scan_chunk(const Chunk& chunk) {
  const auto count = static_cast<std::size_t>(chunk.count);
  const std::size_t d = dimension();
  std::vector<std::uint8_t> finite(count);
  std::atomic<std::int64_t> next = 0;
  std::mutex mutex;
  team_.run([&](int) {
    float largest = 0;
    std::uint64_t hash = 0;
    while (true) {
      const std::int64_t begin = next.fetch_add(kScanRows);
      if (begin >= chunk.count) break;
      for (std::int64_t i = begin; i < std::min(begin + kScanRows, chunk.count); ++i) {
        const auto row = static_cast<std::size_t>(i);
        const std::span values(chunk.values + row * d, d);
        const float magnitude = largest_magnitude(values);
        finite[row] = std::isfinite(magnitude) ? 1 : 0;
        if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
        if (budget_.fingerprint) {
          const auto bytes = std::as_bytes(values);
          hash += base::xxh64({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                              static_cast<std::uint64_t>(chunk.numbers[row]));
        }
      }
    }
    const std::scoped_lock lock(mutex);
    largest_ = std::max(largest_, static_cast<double>(largest));
    fingerprint_ += hash;
  });
  for (std::size_t i = 0; i < count; ++i) {
    QUASAR_CHECK(chunk.numbers[i] >= 0);
    if (finite[i] == 0) continue;
    const std::int64_t index = chunk.first + static_cast<std::int64_t>(i);
    if (!runs_.empty() && runs_.back().index + runs_.back().length == index &&
        runs_.back().number + runs_.back().length == chunk.numbers[i]) {
      ++runs_.back().length;
    } else {
      runs_.push_back({chunk.numbers[i], index, 1});
    }
  }
}

/// Reads the source in chunks, one ahead, and hands each to `work`. With `all`, every row of the source and
/// into kept_ where that has room; else only stretches with rows in use.
void TrainingRows::for_each_chunk(bool all, const std::function<void(const Chunk&)>& work) {
  const std::int64_t size = source_.size();
  const std::int64_t most = chunk_rows(budget_.bytes, dimension());
  const auto resident = source_.resident();
  if (!resident.empty() || kept_all_) {
    Chunk chunk{0, size, resident.empty() ? kept_.data() : resident.data(), {}};
    if (all) {
      chunk.numbers.resize(static_cast<std::size_t>(size));
      source_.read(0, size, {}, chunk.numbers);
    }
    work(chunk);
    return;
  }
  std::vector<Chunk> plan;
  if (all) {
    for (std::int64_t first = 0; first < size; first += most) {
      plan.push_back({first, std::min(most, size - first), nullptr, {}});
    }
  } else {
    for (const auto& run : runs_) {
      std::int64_t index = run.index;
      const std::int64_t end = run.index + run.length;
      while (index < end) {
        if (plan.empty() || index >= plan.back().first + most) plan.push_back({index, 0, nullptr, {}});
        auto& chunk = plan.back();
        chunk.count = std::min(end, chunk.first + most) - chunk.first;
        index = chunk.first + chunk.count;
      }
    }
  }
  const std::size_t d = dimension();
  const bool keeping = all && !kept_.empty();
  if (!keeping && !plan.empty()) {
    for (auto& buffer : buffers_) buffer.resize(static_cast<std::size_t>(std::min(most, size)) * d);
  }
  const auto start_reading = [&](std::size_t c) {
    return std::async(std::launch::async, [&, c] {
      auto& chunk = plan[c];
      const auto values = static_cast<std::size_t>(chunk.count) * d;
      const std::span<float> target =
          keeping ? std::span(kept_).subspan(static_cast<std::size_t>(chunk.first) * d, values)
                  : std::span(buffers_[c % 2]).first(values);
      if (all) chunk.numbers.resize(static_cast<std::size_t>(chunk.count));
      source_.read(chunk.first, chunk.count, target, chunk.numbers);
      chunk.values = target.data();
    });
  };
  std::future<void> reading;
  if (!plan.empty()) reading = start_reading(0);
  for (std::size_t c = 0; c < plan.size(); ++c) {
    reading.get();
    if (c + 1 < plan.size()) reading = start_reading(c + 1);
    work(plan[c]);
    plan[c].numbers = {};
  }
}

/// Cuts the rows in use that lie in one chunk into tiles.
struct TrainingRows::Cursor {
  std::span<const RowRun> runs;
  std::int64_t end = 0;  ///< Of the chunk, in rows of the source.
  std::int64_t tile_rows = 0;
  std::int64_t offset = 0;  ///< Rows of the first run already handed out.

  /// Fills segments with the next rows, `most` at most; false when there are none.
  bool next(std::vector<RowRun>& segments) {
    segments.clear();
    std::int64_t count = 0;
    while (count < tile_rows && !runs.empty()) {
      const RowRun& run = runs.front();
      const std::int64_t index = run.index + offset;
      if (index >= end) break;
      const std::int64_t length = std::min({run.length - offset, tile_rows - count, end - index});
      segments.push_back({run.number + offset, index, length});
      count += length;
      offset += length;
      if (offset == run.length) {
        runs = runs.subspan(1);
        offset = 0;
      }
    }
    return count > 0;
  }
};

void TrainingRows::for_each(std::int64_t tile_rows, const std::function<void(int, const RowTile&)>& on_tile) {
  const auto work = [&](int thread, const RowTile& tile) {
    base::note_activity();
    on_tile(thread, tile);
  };
  const std::size_t d = dimension();
  Cursor cursor;
  cursor.runs = runs_;
  cursor.tile_rows = tile_rows;
  // Rows that were kept one after the other lie where the runs before them end.
  const auto run_chunk = [&](const Chunk& chunk, bool compact) {
    cursor.end = chunk.first + chunk.count;
    std::int64_t handed_out = 0;
    std::mutex order;
    team_.run([&](int thread) {
      std::vector<RowRun> segments;
      std::vector<std::int64_t> numbers;
      std::vector<std::int64_t> indices;
      std::vector<float> gathered;
      while (true) {
        std::int64_t first = 0;
        std::int64_t count = 0;
        {
          const std::scoped_lock lock(order);
          if (!cursor.next(segments)) return;
          for (const auto& segment : segments) count += segment.length;
          first = handed_out;
          handed_out += count;
        }
        numbers.clear();
        indices.clear();
        for (const auto& segment : segments) {
          for (std::int64_t i = 0; i < segment.length; ++i) {
            numbers.push_back(segment.number + i);
            indices.push_back(segment.index + i);
          }
        }
        const float* values = nullptr;
        if (compact) {
          values = chunk.values + static_cast<std::size_t>(first) * d;
        } else if (indices.back() - indices.front() + 1 == count) {
          values = chunk.values + static_cast<std::size_t>(indices.front() - chunk.first) * d;
        } else {
          gathered.clear();
          for (const auto& segment : segments) {
            const float* begin = chunk.values + static_cast<std::size_t>(segment.index - chunk.first) * d;
            gathered.insert(gathered.end(), begin, begin + static_cast<std::size_t>(segment.length) * d);
          }
          values = gathered.data();
        }
        work(thread, {{values, static_cast<std::size_t>(count) * d}, numbers, indices});
      }
    });
  };
  if (kept_runs_) {
    run_chunk({0, source_.size(), kept_.data(), {}}, true);
  } else {
    for_each_chunk(false, [&](const Chunk& chunk) { run_chunk(chunk, false); });
  }
}

std::vector<std::int64_t> TrainingRows::locate(std::span<const std::int64_t> positions) const {
  std::vector<std::size_t> order(positions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t slot) { return positions[slot]; });
  std::vector<RowRun> by_number = runs_;
  std::ranges::sort(by_number, {}, &RowRun::number);
  std::vector<std::int64_t> found(positions.size(), -1);
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  std::int64_t before = 0;  // Rows with numbers below the window.
  std::size_t wanted = 0;
  std::size_t run = 0;
  std::int64_t done = 0;  // Numbers below are behind us.
  std::vector<std::uint64_t> bits(static_cast<std::size_t>(kWindow / 64));
  while (wanted < order.size()) {
    const std::int64_t mine = run < by_number.size() ? std::max(by_number[run].number, done) : kNone;
    const std::int64_t begin = comm_.all_reduce(mine, comm::Reduction::kMin) / 64 * 64;
    QUASAR_CHECK(begin < kNone - kWindow);
    const std::int64_t end = begin + kWindow;
    std::ranges::fill(bits, 0);
    std::int64_t held = 0;
    const std::size_t first_run = run;
    for (std::size_t r = run; r < by_number.size() && by_number[r].number < end; ++r) {
      const std::int64_t last = std::min(by_number[r].number + by_number[r].length, end);
      for (std::int64_t number = std::max(by_number[r].number, done); number < last; ++number, ++held) {
        const auto place = static_cast<std::size_t>(number - begin);
        bits[place / 64] |= std::uint64_t{1} << (place % 64);
      }
      if (by_number[r].number + by_number[r].length <= end) run = r + 1;
    }
    // Ranks hold different rows, so that adding their bits is joining them.
    comm_.all_reduce(std::span(bits), comm::Reduction::kSum);
    const std::int64_t in_window =
        std::accumulate(bits.begin(), bits.end(), std::int64_t{0},
                        [](std::int64_t sum, std::uint64_t word) { return sum + std::popcount(word); });
    QUASAR_CHECK(in_window == comm_.all_reduce(held, comm::Reduction::kSum));
    std::size_t holder = first_run;
    std::size_t word = 0;
    std::int64_t up_to = before;
    while (wanted < order.size() && positions[order[wanted]] < before + in_window) {
      const std::int64_t position = positions[order[wanted]];
      while (up_to + std::popcount(bits[word]) <= position) up_to += std::popcount(bits[word++]);
      std::uint64_t rest = bits[word];
      for (std::int64_t skip = position - up_to; skip > 0; --skip) rest &= rest - 1;
      const std::int64_t number = begin + static_cast<std::int64_t>(word) * 64 + std::countr_zero(rest);
      while (holder < by_number.size() && by_number[holder].number + by_number[holder].length <= number) {
        ++holder;
      }
      if (holder < by_number.size() && by_number[holder].number <= number) {
        found[order[wanted]] = by_number[holder].index + number - by_number[holder].number;
      }
      ++wanted;
    }
    before += in_window;
    done = end;
  }
  return found;
}

void TrainingRows::keep(std::span<const std::int64_t> positions) {
  auto indices = locate(positions);
  std::erase(indices, -1);
  std::ranges::sort(indices);
  std::vector<RowRun> chosen;
  std::size_t run = 0;
  for (const std::int64_t index : indices) {
    while (runs_[run].index + runs_[run].length <= index) ++run;
    const std::int64_t number = runs_[run].number + index - runs_[run].index;
    if (!chosen.empty() && chosen.back().index + chosen.back().length == index &&
        chosen.back().number + chosen.back().length == number) {
      ++chosen.back().length;
    } else {
      chosen.push_back({number, index, 1});
    }
  }
  runs_ = std::move(chosen);
  total_ = static_cast<std::int64_t>(positions.size());
  const auto held = static_cast<std::int64_t>(indices.size());
  comm_.together([&] {
    // The chunks that they are picked from need room at the same time.
    if (kept_all_ || !fits(held + 2 * std::min(source_.size(), chunk_rows(budget_.bytes, dimension()))))
      return;
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(held) * dimension());
    Cursor cursor;
    cursor.runs = runs_;
    cursor.tile_rows = held;
    std::vector<RowRun> segments;
    for_each_chunk(false, [&](const Chunk& chunk) {
      cursor.end = chunk.first + chunk.count;
      if (!cursor.next(segments)) return;
      for (const auto& segment : segments) {
        const float* begin =
            chunk.values + static_cast<std::size_t>(segment.index - chunk.first) * dimension();
        values.insert(values.end(), begin, begin + static_cast<std::size_t>(segment.length) * dimension());
      }
    });
    kept_ = std::move(values);
    kept_runs_ = true;
    for (auto& buffer : buffers_) buffer = {};
  });
}

std::vector<float> TrainingRows::at(std::span<const std::int64_t> positions) {
  return fetch(locate(positions));
}

std::vector<float> TrainingRows::fetch(std::span<const std::int64_t> indices) {
  const std::size_t d = dimension();
  std::vector<float> rows(indices.size() * d, 0.0F);
  // Every row lies on one rank; the others add zero bits. Two floats go into one word.
  comm_.together([&] {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (indices[i] < 0) continue;
      source_.read(indices[i], 1, std::span(rows).subspan(i * d, d), {});
    }
  });
  constexpr std::size_t kSlice = std::size_t{1} << 20U;
  std::vector<std::uint64_t> words;
  for (std::size_t first = 0; first < rows.size(); first += 2 * kSlice) {
    const std::size_t count = std::min(2 * kSlice, rows.size() - first);
    words.assign((count + 1) / 2, 0);
    for (std::size_t i = 0; i < count; ++i) {
      words[i / 2] |= std::uint64_t{std::bit_cast<std::uint32_t>(rows[first + i])} << (i % 2 * 32);
    }
    comm_.all_reduce(std::span(words), comm::Reduction::kSum);
    for (std::size_t i = 0; i < count; ++i) {
      rows[first + i] = std::bit_cast<float>(static_cast<std::uint32_t>(words[i / 2] >> (i % 2 * 32)));
    }
  }
  return rows;
}

}  // namespace quasar::cluster
