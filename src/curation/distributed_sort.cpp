#include "curation/distributed_sort.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/await_file.h"
#include "base/errors.h"
#include "base/packer.h"
#include "base/unpacker.h"
#include "curation/run_file.h"

namespace quasar::curation {
namespace {

constexpr std::uint64_t kLeastFanIn = 8;
/// A merge buffer smaller than this spends its time in system calls.
constexpr std::uint64_t kGoodPiece = std::uint64_t{64} << 10U;

/// A record in the buffer: where it is, and the key to sort it by.
struct BufferEntry {
  std::uint32_t key;
  std::uint64_t offset;
};
constexpr std::uint64_t kEntryCost = 2 * sizeof(BufferEntry);  // The radix sort moves between two arrays.

/// Stable least-significant-digit radix sort by key, 11 bits at a time.
void radix_sort(std::vector<BufferEntry>& entries) {
  constexpr std::size_t kBits = 11;
  constexpr std::size_t kDigits = std::size_t{1} << kBits;
  std::array<std::vector<std::size_t>, 3> counts;
  for (auto& digit : counts) digit.assign(kDigits, 0);
  for (const auto& entry : entries) {
    for (std::size_t d = 0; d < counts.size(); ++d) ++counts[d][(entry.key >> (d * kBits)) & (kDigits - 1)];
  }
  std::vector<BufferEntry> scratch(entries.size());
  for (std::size_t d = 0; d < counts.size(); ++d) {
    auto& places = counts[d];
    if (std::find(places.begin(), places.end(), entries.size()) != places.end()) continue;
    std::size_t sum = 0;
    for (auto& place : places) sum += std::exchange(place, sum);
    for (const auto& entry : entries) scratch[places[(entry.key >> (d * kBits)) & (kDigits - 1)]++] = entry;
    entries.swap(scratch);
  }
}

/// What base::pack() made on another rank of the same job.
constexpr std::string_view kWhat = "a rank's list of runs";

/// Another rank's run may be seen late, or not yet at its length.
void await_written(const RunMerger::Part& part) {
  if (part.begin == part.end) return;
  base::await_file(part.path, [&] {
    std::error_code missing;
    return std::filesystem::file_size(part.path, missing) >= part.end && !missing;
  });
}

}  // namespace

std::uint32_t descending_key(float score) {
  if (std::isnan(score)) return kNoScore;
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F);
  return (bits & 0x80000000U) != 0U ? bits : ~(bits | 0x80000000U);
}

struct SortedSlice::Impl {
  std::vector<RunMerger::Part> parts;
  std::unique_ptr<RunMerger> merger;
  std::uint64_t first = 0;
  std::uint64_t size = 0;
  std::uint64_t counted_before = 0;
  std::uint64_t taken = 0;
  std::uint64_t memory = 0;
  // The key that the slice before may end with, and where in the global order its records begin.
  std::uint32_t key = 0;
  std::uint64_t key_first = 0;
  bool key_known = false;
  struct Key {
    std::uint32_t key = 0;
    std::uint64_t first = 0;
  };
  std::optional<Key> before;  ///< That of the slice before.

  void begin() {
    merger = std::make_unique<RunMerger>(parts, memory);
    taken = 0;
    key_known = before.has_value();
    if (before) {
      key = before->key;
      key_first = before->first;
    }
  }
};

SortedSlice::SortedSlice(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SortedSlice::SortedSlice(SortedSlice&&) noexcept = default;
SortedSlice& SortedSlice::operator=(SortedSlice&&) noexcept = default;
SortedSlice::~SortedSlice() = default;

std::uint64_t SortedSlice::first() const {
  return impl_->first;
}

std::uint64_t SortedSlice::size() const {
  return impl_->size;
}

std::uint64_t SortedSlice::counted_before() const {
  return impl_->counted_before;
}

bool SortedSlice::next(SortRecord& record) {
  if (!impl_->merger) return false;
  if (!impl_->merger->next()) {
    // Its buffers may be wanted elsewhere.
    impl_->merger.reset();
    return false;
  }
  const RunReader& reader = impl_->merger->front();
  record = {reader.head().key, reader.head().row, reader.head().counted != 0, reader.id(), reader.payload()};
  if (!impl_->key_known || impl_->key != record.key) {
    impl_->key_known = true;
    impl_->key = record.key;
    impl_->key_first = impl_->first + impl_->taken;
  }
  ++impl_->taken;
  return true;
}

void SortedSlice::rewind() {
  impl_->begin();
}

std::uint64_t SortedSlice::first_of_key() const {
  return impl_->key_first;
}

struct DistributedSort::Impl {
  std::filesystem::path folder;
  std::uint64_t memory;
  const comm::Communicator& comm;
  std::unique_ptr<char[]> buffer;
  std::uint64_t capacity = 0;
  std::uint64_t used = 0;
  std::uint64_t records = 0;
  std::vector<Run> runs;
  std::uint64_t runs_written = 0;

  std::uint64_t fan_in;
  std::vector<std::filesystem::path> merged;  ///< Parts of other ranks' runs, put together by this rank.

  Impl(std::filesystem::path where, std::uint64_t bytes, const comm::Communicator& ranks,
       std::uint64_t most_open)
      : folder(std::move(where)),
        memory(bytes),
        comm(ranks),
        fan_in(std::clamp(std::min(std::max(bytes / kGoodPiece, kLeastFanIn), most_open), std::uint64_t{2},
                          kLargestFanIn)) {}

  std::filesystem::path next_path() {
    return folder / ("run-" + std::to_string(comm.rank()) + "-" + std::to_string(runs_written++));
  }
  std::uint64_t stretch() const {
    return std::clamp(memory / 1024, std::uint64_t{4} << 10U, std::uint64_t{1} << 20U);
  }
  RecordHead head_at(std::uint64_t offset) const {
    RecordHead head;
    std::memcpy(&head, buffer.get() + offset, sizeof head);
    return head;
  }
  std::string_view id_at(std::uint64_t offset, const RecordHead& head) const {
    return {buffer.get() + offset + sizeof head, head.id_size};
  }

  std::vector<BufferEntry> sorted_entries() const;
  void spill();
  Run merge(const std::vector<RunMerger::Part>& parts);
  void merge_surplus_runs(std::uint64_t limit);
  void merge_surplus_parts(std::vector<RunMerger::Part>& parts);
  std::vector<OrderKey> choose_splitters() const;
};

std::vector<BufferEntry> DistributedSort::Impl::sorted_entries() const {
  std::vector<BufferEntry> entries;
  entries.reserve(records);
  for (std::uint64_t offset = 0; offset < used;) {
    const RecordHead head = head_at(offset);
    entries.push_back({head.key, offset});
    offset += head.size();
  }
  radix_sort(entries);
  const auto before = [&](const BufferEntry& a, const BufferEntry& b) {
    const RecordHead x = head_at(a.offset);
    const RecordHead y = head_at(b.offset);
    return comes_before(x.key, id_at(a.offset, x), x.row, y.key, id_at(b.offset, y), y.row);
  };
  for (auto begin = entries.begin(); begin != entries.end();) {
    const auto end =
        std::find_if(begin, entries.end(), [&](const BufferEntry& e) { return e.key != begin->key; });
    if (end - begin > 1) std::sort(begin, end, before);
    begin = end;
  }
  return entries;
}

void DistributedSort::Impl::spill() {
  if (records == 0) return;
  RunWriter writer(next_path(), stretch());
  for (const auto& entry : sorted_entries()) {
    const RecordHead head = head_at(entry.offset);
    writer.write(head, id_at(entry.offset, head), {buffer.get() + entry.offset, head.size()});
  }
  runs.push_back(writer.finish());
  used = records = 0;
}

Run DistributedSort::Impl::merge(const std::vector<RunMerger::Part>& parts) {
  RunWriter writer(next_path(), stretch());
  RunMerger merger(parts, memory);
  while (merger.next()) {
    const RunReader& front = merger.front();
    writer.write(front.head(), front.id(), front.bytes());
  }
  return writer.finish();
}

/// Every rank has runs of its own, so that many ranks have more than one may read at once.
void DistributedSort::Impl::merge_surplus_parts(std::vector<RunMerger::Part>& parts) {
  const auto size = [](const RunMerger::Part& part) { return part.end - part.begin; };
  std::erase_if(parts, [&](const RunMerger::Part& part) { return size(part) == 0; });
  while (parts.size() > fan_in) {
    std::sort(parts.begin(), parts.end(), [&](const auto& a, const auto& b) { return size(a) < size(b); });
    const auto count =
        static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(fan_in, parts.size() - fan_in + 1));
    const Run run = merge({parts.begin(), parts.begin() + count});
    merged.push_back(run.path);
    parts.erase(parts.begin(), parts.begin() + count);
    parts.push_back({run.path, 0, run.end.offset});
  }
}

void DistributedSort::Impl::merge_surplus_runs(std::uint64_t limit) {
  while (runs.size() > limit) {
    // The smallest first: least is written twice.
    std::sort(runs.begin(), runs.end(),
              [](const Run& a, const Run& b) { return a.end.offset < b.end.offset; });
    const auto count = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(fan_in, runs.size() - limit + 1));
    std::vector<RunMerger::Part> parts;
    for (auto run = runs.begin(); run != runs.begin() + count; ++run) {
      parts.push_back({run->path, 0, run->end.offset});
    }
    Run together = merge(parts);
    runs.erase(runs.begin(), runs.begin() + count);
    runs.push_back(std::move(together));
    std::error_code ignored;
    for (const auto& part : parts) std::filesystem::remove(part.path, ignored);
  }
}

std::vector<OrderKey> DistributedSort::Impl::choose_splitters() const {
  std::string mine;
  for (const auto& run : runs) {
    for (const auto& entry : run.index) {
      base::pack(entry.first.key, mine);
      base::pack(entry.first.row, mine);
      base::pack_text(entry.first.id, mine);
    }
  }
  std::vector<OrderKey> samples;
  for (const auto& text : comm.all_gather(mine)) {
    for (base::Unpacker unpacker(text, kWhat); !unpacker.done();) {
      OrderKey sample;
      sample.key = unpacker.take<std::uint32_t>();
      sample.row = unpacker.take<std::uint64_t>();
      sample.id = unpacker.take_text();
      samples.push_back(std::move(sample));
    }
  }
  std::sort(samples.begin(), samples.end(), [](const OrderKey& a, const OrderKey& b) {
    return comes_before(a.key, a.id, a.row, b.key, b.id, b.row);
  });
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<OrderKey> splitters(ranks - 1, OrderKey{kNoScore, 0, ""});
  if (samples.empty()) return splitters;
  for (std::size_t r = 1; r < ranks; ++r) splitters[r - 1] = samples[r * samples.size() / ranks];
  return splitters;
}

DistributedSort::DistributedSort(std::filesystem::path folder, std::uint64_t memory,
                                 const comm::Communicator& comm, std::uint64_t most_open)
    : impl_(std::make_unique<Impl>(std::move(folder), memory, comm, most_open)) {}

DistributedSort::~DistributedSort() {
  std::error_code ignored;
  for (const auto& run : impl_->runs) std::filesystem::remove(run.path, ignored);
  for (const auto& path : impl_->merged) std::filesystem::remove(path, ignored);
}

std::uint64_t DistributedSort::runs_written() const {
  return impl_->runs_written;
}

void DistributedSort::add(const SortRecord& record) {
  if (record.id.size() > kLargestId || record.payload.size() > kLargestPayload) {
    base::fail(base::ExitCode::kInput, "row " + std::to_string(record.row) + " has an id of " +
                                           std::to_string(record.id.size()) + " bytes and " +
                                           std::to_string(record.payload.size()) +
                                           " bytes of other fields; at most 1 MiB and 64 MiB can be ranked");
  }
  const RecordHead head{record.key, static_cast<std::uint32_t>(record.id.size()),
                        static_cast<std::uint32_t>(record.payload.size()), record.counted ? 1U : 0U,
                        record.row};
  const std::uint64_t size = head.size();
  if (impl_->used + size + kEntryCost * (impl_->records + 1) > impl_->capacity) {
    impl_->spill();
    const std::uint64_t least = std::max(impl_->memory, size + kEntryCost);
    if (impl_->capacity < least) {
      // Left uninitialised: pages that are never written take no memory.
      impl_->buffer.reset(new char[least]);
      impl_->capacity = least;
    }
  }
  char* place = impl_->buffer.get() + impl_->used;
  std::memcpy(place, &head, sizeof head);
  std::copy(record.id.begin(), record.id.end(), place + sizeof head);
  std::copy(record.payload.begin(), record.payload.end(), place + sizeof head + record.id.size());
  impl_->used += size;
  ++impl_->records;
}

SortedSlice DistributedSort::finish() {
  const comm::Communicator& comm = impl_->comm;
  const auto ranks = static_cast<std::size_t>(comm.size());
  const auto rank = static_cast<std::size_t>(comm.rank());
  comm.together([&] {
    impl_->spill();
    impl_->buffer.reset();
    impl_->capacity = 0;
    impl_->merge_surplus_runs(std::max<std::uint64_t>(2, impl_->fan_in / ranks));
  });

  const std::vector<OrderKey> splitters = impl_->choose_splitters();
  std::string mine;
  std::vector<std::uint64_t> before_key(splitters.size(), 0);  // Records whose key is below the splitter's.
  comm.together([&] {
    for (const auto& run : impl_->runs) {
      const std::string path = run.path.string();
      base::pack_text(path, mine);
      base::pack(RunPosition{}, mine);
      for (std::size_t s = 0; s < splitters.size(); ++s) {
        base::pack(find_bound(run, splitters[s]), mine);
        before_key[s] += find_bound(run, {splitters[s].key, 0, ""}).records;
      }
      base::pack(run.end, mine);
    }
  });
  comm.all_reduce(before_key, comm::Reduction::kSum);

  auto slice = std::make_unique<SortedSlice::Impl>();
  for (const auto& text : comm.all_gather(mine)) {
    for (base::Unpacker unpacker(text, kWhat); !unpacker.done();) {
      const std::filesystem::path path = unpacker.take_text();
      std::vector<RunPosition> bounds;
      for (std::size_t r = 0; r <= ranks; ++r) bounds.push_back(unpacker.take<RunPosition>());
      slice->parts.push_back({path, bounds[rank].offset, bounds[rank + 1].offset});
      slice->first += bounds[rank].records;
      slice->size += bounds[rank + 1].records - bounds[rank].records;
      slice->counted_before += bounds[rank].counted;
    }
  }
  if (rank != 0) slice->before = SortedSlice::Impl::Key{splitters[rank - 1].key, before_key[rank - 1]};
  slice->memory = impl_->memory;
  comm.together([&] {
    for (const auto& part : slice->parts) await_written(part);
    impl_->merge_surplus_parts(slice->parts);
    slice->begin();
  });
  return SortedSlice(std::move(slice));
}

}  // namespace quasar::curation
