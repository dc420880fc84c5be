// Internal to the module: the file beside a lock that says who holds it. It is made exclusively, which every
// file system can do, and its holder rewrites it every few seconds: so that it protects where the file system
// has no locks, or has locks that other hosts do not see.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/process_identity.h"

namespace quasar::base {

/// How the record is kept. Tests have less patience.
struct LockTimes {
  std::chrono::milliseconds beat{5'000};  ///< Between two writings of the holder.
  /// A record of another machine's process that stays the same for so long was left by a process that died.
  std::chrono::milliseconds watch{30'000};
};

/// Who holds a lock, as the record has it.
struct LockHolder {
  std::string text;         ///< The whole record.
  std::string description;  ///< "alice on node1, process 123, Slurm job 45, since 2026-01-31 12:00:00 UTC".
  ProcessIdentity process;
  std::chrono::milliseconds beat{0};  ///< Of the holder's record; 0: the record cannot be read.
};

/// The record at `path`; nothing when there is none. Throws Error(kOutput) when it cannot be read.
std::optional<LockHolder> read_lock_record(const std::filesystem::path& path);

/// A record, held or not. Not thread-safe.
class LockRecord {
 public:
  LockRecord(std::filesystem::path path, const LockTimes& times);
  /// Gives it up.
  ~LockRecord();
  LockRecord(const LockRecord&) = delete;
  LockRecord& operator=(const LockRecord&) = delete;

  /// Makes the record this process's own, or says whose it is. One that a dead process left is replaced: at
  /// once when it was of this machine, else after watching it for a while. Throws Error(kOutput) when it
  /// can be neither made nor read.
  std::optional<LockHolder> claim();
  /// Who has it now instead of this process, which had claimed it; nothing while this process has it.
  std::optional<LockHolder> taken_by() const;

 private:
  bool create();
  bool is_alive(const LockHolder& holder);
  void remove_stale(const LockHolder& judged) const;
  std::string content(long beats) const;
  void keep_beating();

  const std::filesystem::path path_;
  const LockTimes times_;
  std::string head_;  ///< What the record holds before its counter.
  bool held_ = false;
  bool told_ = false;  ///< That another machine's record is watched.
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread beating_;
};

}  // namespace quasar::base
