// Owns the record, outside the process, of what every decode thread is at:
// RUN/state/journal-RANK.HOST.PID.bin, a small file mapped into memory. What was written survives the
// process, however it ends; a journal that is still there without a living owner tells which images were in
// flight when the process died.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::pipeline {

/// What a decode thread does with its image.
enum class Phase : std::uint32_t {
  kIdle = 0,
  kReading = 1,   ///< Reads the bytes; a crash here is not the image's doing.
  kDecoding = 2,  ///< In the decoder, or in our own resampling.
  kOverdue = 3,   ///< Was in the decoder when the watchdog ended the process for it.
  kCrashed = 4,   ///< Was in the decoder of the thread in which a fatal signal came.
};

/// One image in flight.
struct JournalEntry {
  Phase phase = Phase::kIdle;
  int shard = 0;
  std::uint64_t row = 0;  ///< Over the whole plan.
  std::string id;         ///< The item's, cut after kJournalIdBytes bytes.
  double seconds = 0;     ///< Since the phase began, by the wall clock.
};

inline constexpr std::size_t kJournalIdBytes = 223;

/// The journal that this process writes. Each slot is written by one thread at a time; anything may read.
class Journal {
 public:
  /// Creates the file, its disk space included, so that a full disk is an error here and not a signal later.
  /// Throws Error(kOutput).
  Journal(const std::filesystem::path& state_folder, int rank, int slots);
  /// Removes the file: a process that gets here did not die of an image.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void begin(int slot, Phase phase, int shard, std::uint64_t row, std::string_view id);
  void set_phase(int slot, Phase phase);
  void end(int slot) { set_phase(slot, Phase::kIdle); }

  /// Notes that the process was asked to stop, so that being killed later is nobody's fault.
  void mark_stopping();
  /// From now to the end of the journal a fatal signal (SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL) in a thread
  /// that decodes marks its image kCrashed, and then has the effect that it had before. For one journal of
  /// the process at a time.
  void mark_on_crash();

  int slots() const { return slots_; }
  /// The slot's image; phase kIdle when it has none. `seconds` is by the monotonic clock.
  JournalEntry entry(int slot) const;

 private:
  std::filesystem::path path_;
  int slots_ = 0;
  int fd_ = -1;
  void* memory_ = nullptr;
  std::size_t size_ = 0;
};

/// A journal found on disk.
struct FoundJournal {
  std::filesystem::path path;
  int rank = 0;
  std::string host;
  int process = 0;
  bool alive = false;          ///< Its owner still runs.
  bool asked_to_stop = false;  ///< mark_stopping() was called.
  std::vector<JournalEntry> in_flight;
};

/// Every journal in the folder, by rank. Files that are no journals are passed over.
std::vector<FoundJournal> find_journals(const std::filesystem::path& state_folder);

}  // namespace quasar::pipeline
