// Owns a lock that processes, also of other machines, take in turn.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/lock_record.h"

namespace quasar::base {

/// Held from construction to destruction, and no longer than its process lives. Two things keep others out: a
/// lock of the file system on `path`, and the record PATH.owner (lock_record.h), made exclusively and
/// rewritten every few seconds, which says whose the lock is. The record alone protects where the file system
/// has no locks, or has locks that hosts do not see of each other (NFS with local_lock, Lustre with
/// localflock). A record left by a process that died is replaced, after half a minute of watching it when it
/// was another machine's.
///
/// Constructors throw Error(kOutput), naming the path and the reason, when the lock's files cannot be made or
/// read: a lock that could not be taken is never taken for one that was. Not thread-safe.
class FileLock {
 public:
  /// Waits for its turn.
  explicit FileLock(const std::filesystem::path& path, const LockTimes& times = {});
  /// Throws Error(kOutput) with the message `busy` and the name of the holder when another holds it.
  FileLock(const std::filesystem::path& path, const std::string& busy, const LockTimes& times = {});
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// Throws Error(kOutput), naming who holds it now, when this lock was taken away: without locks of the file
  /// system, a process that is stopped for longer than others watch is taken for dead. To be asked before
  /// what the lock protects is changed for good.
  void confirm() const;

 private:
  class LockedFile;
  std::filesystem::path path_;
  std::unique_ptr<LockedFile> file_;
  LockRecord record_;
};

}  // namespace quasar::base
