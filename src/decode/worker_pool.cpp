#include "decode/worker_pool.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/progress.h"
#include "decode/slot.h"
#include "decode/worker_memory.h"
#include "image/byte_limit.h"

namespace quasar::decode {
namespace {

/// Bytes beside idle workers and their standing shares. Throws Error(kConfig).
std::uint64_t gate_capacity(const PoolConfig& config) {
  const std::uint64_t least = least_memory(config.workers);
  if (config.memory == 0) {
    const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
    const auto machine = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return std::max(machine / 4 * 3, least) - least;
  }
  if (config.memory < least) {
    base::fail(base::ExitCode::kConfig,
               fmt::format(
                   "{} are not enough for {} decoding workers, which need at least {}: set memory higher, or "
                   "decode with fewer",
                   base::human_bytes(config.memory), config.workers, base::human_bytes(least)));
  }
  return config.memory - least;
}

}  // namespace

struct WorkerPool::State {
  explicit State(const PoolConfig& config) : shared(config, gate_capacity(config)) {}

  PoolShared shared;
  std::vector<std::unique_ptr<Slot>> slots;

  Slot& slot(int worker) { return *slots.at(static_cast<std::size_t>(worker)); }
};

WorkerPool::WorkerPool(const PoolConfig& config) {
  QUASAR_CHECK(config.workers > 0);
  state_ = std::make_unique<State>(config);
  for (int i = 0; i < state_->shared.config.workers; ++i) {
    state_->slots.push_back(std::make_unique<Slot>(state_->shared));
    state_->slots.back()->start();
  }
  for (const auto& slot : state_->slots) slot->wait_until_ready();
}

WorkerPool::~WorkerPool() = default;

int WorkerPool::workers() const {
  return state_->shared.config.workers;
}

std::optional<Room> WorkerPool::room(int worker, std::uint64_t size) {
  return state_->slot(worker).room(size);
}

std::optional<image::Prepared> WorkerPool::decode(int worker, const PictureRequest& request,
                                                  std::uint64_t size) {
  return state_->slot(worker).decode(request, size);
}

std::optional<image::Prepared> WorkerPool::decode(int worker, const PictureRequest& request,
                                                  std::span<const std::byte> bytes) {
  const auto& config = state_->shared.config;
  // As image::prepare() does, without the libraries that it needs for others.
  if (auto error = image::too_many_bytes(bytes.size(), config.decode); !error.empty()) {
    image::Prepared refused;
    refused.status = base::RowStatus::kTooManyBytes;
    refused.error = std::move(error);
    return refused;
  }
  const auto place = room(worker, bytes.size());
  if (!place) return std::nullopt;
  if (place->status != base::RowStatus::kOk) {
    image::Prepared prepared;
    prepared.status = place->status;
    prepared.error = place->error;
    return prepared;
  }
  if (!bytes.empty()) std::memcpy(place->bytes.data(), bytes.data(), bytes.size());
  return decode(worker, request, bytes.size());
}

void WorkerPool::release(int worker) {
  state_->slot(worker).give_back();
}

void WorkerPool::interrupt() {
  state_->shared.gate.interrupt();
  const std::uint64_t one = 1;
  const auto written = ::write(state_->shared.interrupted.number(), &one, sizeof one);
  static_cast<void>(written);
}

PoolStatistics WorkerPool::statistics() const {
  const auto& shared = state_->shared;
  PoolStatistics statistics;
  statistics.pictures = shared.pictures;
  statistics.crashed = shared.crashed;
  statistics.timed_out = shared.timed_out;
  statistics.out_of_memory = shared.out_of_memory;
  statistics.restarts = shared.restarts;
  statistics.restart_seconds = 1e-9 * static_cast<double>(shared.restart_ns);
  statistics.memory_peak = shared.gate.peak();
  statistics.idle_bytes = shared.idle_bytes;
  return statistics;
}

const MemoryGate& WorkerPool::gate() const {
  return state_->shared.gate;
}

void WorkerPool::sample_memory() const {
  std::vector<int> processes;
  for (const auto& slot : state_->slots) {
    if (const int process = slot->process(); process > 0) processes.push_back(process);
  }
  sample_workers(processes);
}

int WorkerPool::process(int worker) const {
  return state_->slot(worker).process();
}

}  // namespace quasar::decode
