// Internal to the module: owns one worker's place in a pool: its shared memory, its process and the one that
// replaces it, and the memory that its picture has claimed.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "decode/protocol.h"
#include "decode/shared_area.h"
#include "decode/worker_pool.h"
#include "decode/worker_process.h"

namespace quasar::decode {

/// What the slots of a pool share.
struct PoolShared {
  PoolShared(PoolConfig pool_config, std::uint64_t gate_capacity);

  const PoolConfig config;
  MemoryGate gate;
  Spawner spawner;
  base::Descriptor interrupted;  ///< An eventfd, readable from the interruption on.
  std::atomic<bool> unfiltered_reported{false};
  std::atomic<std::uint64_t> pictures{0};
  std::atomic<std::uint64_t> crashed{0};
  std::atomic<std::uint64_t> timed_out{0};
  std::atomic<std::uint64_t> out_of_memory{0};
  std::atomic<std::uint64_t> restarts{0};
  std::atomic<std::uint64_t> restart_ns{0};
  std::atomic<std::uint64_t> idle_bytes{0};

  /// Bytes that one picture may take at most.
  std::uint64_t most() const { return kStandingBytes + gate.capacity(); }
};

/// Used by one thread at a time.
class Slot {
 public:
  explicit Slot(PoolShared& shared);

  /// Starts a process, which gets ready while others start.
  void start();
  /// Waits until it is ready. False when interrupted. Throws as WorkerPool.
  bool wait_until_ready();

  std::optional<Room> room(std::uint64_t size);
  std::optional<image::Prepared> decode(const PictureRequest& request, std::uint64_t size);

  /// Gives back what the last picture has claimed.
  void give_back() { claim_.reset(); }

  /// -1 when none runs. From any thread.
  int process() const { return id_; }

 private:
  /// What came of one attempt.
  struct Attempt {
    enum class Kind {
      kDone,         ///< `prepared` is what the worker says.
      kInterrupted,  ///< By the pool's end.
      kDied,         ///< `death` says how.
      kHung,         ///< The time was over.
      kLied,         ///< It sent what is no answer.
      kTooLarge,     ///< It needs more than there ever is; `prepared` says so.
    };
    Kind kind = Kind::kDone;
    image::Prepared prepared = {};
    Death death = {};
  };
  enum class Ready { kMessage, kInterrupted, kNothing };

  Attempt attempt(const PictureRequest& request, std::uint64_t size, bool everything);
  Attempt watch(std::uint64_t size, bool everything);
  /// Claims what the picture needs beyond the standing share and lets the worker go on.
  std::optional<Attempt> answer(const Need& need, std::uint64_t size, bool everything);
  Attempt take(const Result& result);
  /// Claims `bytes` in all. False when interrupted.
  bool claim(std::uint64_t bytes);
  Ready wait(double seconds) const;
  void end_process();
  /// Ends the process in whatever state it is, and starts another.
  void replace();
  /// Ready for the next picture; with `hold`, but for the claim.
  void release(bool hold = false);

  PoolShared& shared_;
  SharedArea input_;
  SharedArea output_;
  base::Descriptor input_to_read_;
  std::uint64_t kept_output_;
  std::unique_ptr<WorkerProcess> process_;
  std::atomic<int> id_{-1};  ///< Of the process.
  bool ready_ = false;
  bool fresh_ = false;      ///< Has served no picture.
  bool replacing_ = false;  ///< Waiting for it is time lost to a restart.
  bool raised_ = false;     ///< Its limit of memory is above that of a standing share.
  std::uint64_t idle_data_ = 0;
  std::optional<MemoryGate::Claim> claim_;
};

}  // namespace quasar::decode
