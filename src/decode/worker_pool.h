// Owns decoding in processes of its own. Each worker is a process, `quasar-decode`, that takes one picture at
// a time: bytes and prepared pixels lie in memory that it shares with the pool. It can do little else
// (worker/sandbox.h). What ends it, crash, kill, hang, or want of memory, costs the picture its row, and a
// fresh worker takes the next one.
//
//   WorkerPool pool({.decode = config, .spec = spec, .workers = 4});
//   // one thread per worker:
//   auto room = pool.room(worker, size);              // read the file into room.bytes
//   auto prepared = pool.decode(worker, {.id = id}, size);
//
// What becomes of a picture, its message included, depends on the picture and on the configuration alone: one
// that ends a worker which has served others is tried again in a fresh one, as it may have been another's
// doing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/input_spec.h"
#include "base/status.h"
#include "decode/memory_gate.h"
#include "decode/program.h"
#include "distort/distortion_table.h"
#include "image/decode.h"
#include "image/decode_config.h"

namespace quasar::decode {

/// Resident memory of a worker that has decoded nothing, from above: 30 MiB, of which 25 are code that all
/// workers of a machine share.
inline constexpr std::uint64_t kIdleBytes = std::uint64_t{40} << 20U;
/// What each worker may take for a picture without asking: 12 megapixels of JPEG, say.
inline constexpr std::uint64_t kStandingBytes = std::uint64_t{64} << 20U;

/// The least PoolConfig::memory for so many workers: no picture takes more than a standing share then.
constexpr std::uint64_t least_memory(int workers) {
  return static_cast<std::uint64_t>(workers) * (kIdleBytes + kStandingBytes);
}

struct PoolConfig {
  image::DecodeConfig decode;
  base::InputSpec spec;
  int workers = 1;
  /// Bytes for all workers together, their code and what they share with the pool included; at least
  /// least_memory(workers). 0 sets no limit to their sum but three quarters of the machine's memory.
  std::uint64_t memory = 0;
  std::filesystem::path program = default_program();
};

/// What is asked about a picture beside its bytes.
struct PictureRequest {
  std::string_view id = {};  ///< The item's.
  std::optional<distort::Distortion> distortion = {};
  /// Keep what the picture has claimed until release(): its pixels are the caller's then, and still take
  /// memory.
  bool hold = false;
};

/// Memory that a worker reads: where a file's bytes are to be put.
struct Room {
  base::RowStatus status = base::RowStatus::kOk;  ///< kOutOfMemory where there can never be as much.
  std::string error;                              ///< Empty when ok.
  std::span<std::byte> bytes;                     ///< Until the worker's next call.
};

/// Counts since the start, over all workers.
struct PoolStatistics {
  std::uint64_t pictures = 0;
  std::uint64_t crashed = 0;        ///< Pictures that are kCrashed.
  std::uint64_t timed_out = 0;      ///< Pictures that are kTimedOut.
  std::uint64_t out_of_memory = 0;  ///< Pictures that are kOutOfMemory.
  std::uint64_t restarts = 0;       ///< Workers started after the first ones.
  double restart_seconds = 0;       ///< That threads waited for those, summed.
  std::uint64_t memory_peak = 0;    ///< Most bytes claimed at once beside idle workers and standing shares.
  std::uint64_t idle_bytes = 0;     ///< Resident memory of the largest idle worker at its start, measured.
};

class WorkerPool {
 public:
  /// Starts all workers and waits until they are ready. Throws Error(kInput) when the program cannot be
  /// started, Error(kInternal) when it starts and is of no use, Error(kConfig) for too little memory.
  explicit WorkerPool(const PoolConfig& config);
  /// Ends all workers. No thread may be in a call.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int workers() const;

  // Of each worker's two calls, one at a time may run; calls of different workers run side by side.

  /// Room for a file of this size, at most decode.max_file_bytes; may wait for memory. Empty when
  /// interrupted.
  std::optional<Room> room(int worker, std::uint64_t size);

  /// Decodes the first `size` bytes of the worker's room. The result is that of image::prepare (with a
  /// distortion: of image::decode, image::distort and image::fit), or kCrashed, kTimedOut or kOutOfMemory
  /// with a message that is the same at every run. Empty when interrupted. Throws Error when a worker cannot
  /// be replaced.
  std::optional<image::Prepared> decode(int worker, const PictureRequest& request, std::uint64_t size);
  /// The same for bytes that lie elsewhere.
  std::optional<image::Prepared> decode(int worker, const PictureRequest& request,
                                        std::span<const std::byte> bytes);

  /// Gives back what a picture decoded with PictureRequest::hold has claimed.
  void release(int worker);

  /// Ends all calls, now and later, at once: they give nothing. From any thread.
  void interrupt();

  PoolStatistics statistics() const;
  /// The budget that pictures claim from which need more than a standing share.
  const MemoryGate& gate() const;
  /// Looks how much memory of their own the workers have now (decode::sample_workers()). Thread-safe.
  void sample_memory() const;
  /// The worker's process, for tests; -1 when it is not running.
  int process(int worker) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quasar::decode
