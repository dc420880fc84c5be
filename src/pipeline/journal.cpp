#include "pipeline/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>

#include "base/atomic_file.h"
#include "base/errors.h"

namespace quasar::pipeline {
namespace {

constexpr std::uint64_t kMagic = 0x324c4e524a525351;  // "QSRJRNL2"
constexpr Phase kLastPhase = Phase::kCrashed;
constexpr std::string_view kPrefix = "journal-";
constexpr std::string_view kSuffix = ".bin";

/// Both lie in the file as they are here: only programs of one machine type share a run directory.
struct Header {
  std::uint64_t magic;
  std::int32_t rank;
  std::int32_t slots;
  std::int32_t process;
  std::atomic<std::int32_t> stopping;
  std::array<char, 104> host;
};

struct Slot {
  std::atomic<Phase> phase;
  std::int32_t shard;
  std::uint64_t row;
  std::int64_t wall_ns;
  std::int64_t steady_ns;
  std::array<char, kJournalIdBytes + 1> id;
};
static_assert(std::atomic<Phase>::is_always_lock_free && sizeof(Header) == 128 && sizeof(Slot) == 256);

std::int64_t wall_now() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::int64_t steady_now() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::size_t file_size(int slots) {
  return sizeof(Header) + static_cast<std::size_t>(slots) * sizeof(Slot);
}

Slot& slot_at(void* memory, int slot) {
  return *std::launder(reinterpret_cast<Slot*>(static_cast<char*>(memory) + sizeof(Header) +
                                               static_cast<std::size_t>(slot) * sizeof(Slot)));
}

constexpr std::array kFatal = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
/// The journal that a fatal signal is noted in, what such signals did before, and the thread's slot in it.
std::atomic<void*> marked{nullptr};
std::array<struct sigaction, kFatal.size()> before;
thread_local int own_slot = -1;

/// Does nothing but what is safe in a signal handler.
void on_fatal_signal(int number) {
  if (void* const memory = marked.load(); memory != nullptr && own_slot >= 0) {
    auto expected = Phase::kDecoding;
    slot_at(memory, own_slot).phase.compare_exchange_strong(expected, Phase::kCrashed);
  }
  for (std::size_t i = 0; i < kFatal.size(); ++i) {
    if (kFatal[i] == number) ::sigaction(number, &before[i], nullptr);
  }
  // Comes when this handler has returned.
  ::raise(number);
}

std::string text_of(const char* text, std::size_t size) {
  return {text, ::strnlen(text, size)};
}

JournalEntry entry_of(const Slot& slot, std::int64_t now, std::int64_t Slot::*clock) {
  JournalEntry entry;
  entry.phase = slot.phase.load(std::memory_order_acquire);
  entry.shard = slot.shard;
  entry.row = slot.row;
  entry.id = text_of(slot.id.data(), slot.id.size());
  // A damaged file may hold any number, for which a difference of integers could overflow.
  entry.seconds = (static_cast<double>(now) - static_cast<double>(slot.*clock)) * 1e-9;
  return entry;
}

/// Held by the journal's owner for as long as it lives, and given up by the kernel whatever ends it.
bool lock(int fd, bool only_ask) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (!only_ask) return ::fcntl(fd, F_OFD_SETLK, &whole) == 0;
  return ::fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

[[noreturn]] void fail_output(const std::filesystem::path& path, int error) {
  base::fail(base::ExitCode::kOutput,
             "cannot create the journal " + path.string() + ": " + base::describe_errno(error));
}

}  // namespace

Journal::Journal(const std::filesystem::path& state_folder, int rank, int slots) : slots_(slots) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  path_ = state_folder / fmt::format("{}{}.{}.{}{}", kPrefix, rank, host.data(), ::getpid(), kSuffix);
  size_ = file_size(slots);
  const auto temporary = base::temporary_name(path_);
  fd_ = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) fail_output(path_, errno);
  const auto give_up = [&](int error) {
    ::unlink(temporary.c_str());
    if (memory_ != nullptr) ::munmap(memory_, size_);
    ::close(fd_);
    fail_output(path_, error);
  };
  if (const int error = ::posix_fallocate(fd_, 0, static_cast<off_t>(size_)); error != 0) give_up(error);
  void* mapped = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (mapped == MAP_FAILED) give_up(errno);
  memory_ = mapped;
  auto* header = new (memory_) Header{kMagic, rank, slots, ::getpid(), 0, {}};
  std::copy_n(host.data(), header->host.size() - 1, header->host.data());
  for (int i = 0; i < slots; ++i) new (&slot_at(memory_, i)) Slot{};
  lock(fd_, false);
  // Found by others only when it is whole and locked.
  if (::rename(temporary.c_str(), path_.c_str()) != 0) give_up(errno);
}

Journal::~Journal() {
  if (marked.load() == memory_) {
    marked = nullptr;
    for (std::size_t i = 0; i < kFatal.size(); ++i) ::sigaction(kFatal[i], &before[i], nullptr);
  }
  ::unlink(path_.c_str());
  ::munmap(memory_, size_);
  ::close(fd_);
}

void Journal::begin(int slot, Phase phase, int shard, std::uint64_t row, std::string_view id) {
  Slot& s = slot_at(memory_, slot);
  s.shard = shard;
  s.row = row;
  const std::size_t length = std::min(id.size(), kJournalIdBytes);
  std::copy_n(id.data(), length, s.id.data());
  s.id[length] = '\0';
  own_slot = slot;
  set_phase(slot, phase);
}

void Journal::set_phase(int slot, Phase phase) {
  Slot& s = slot_at(memory_, slot);
  s.wall_ns = wall_now();
  s.steady_ns = steady_now();
  s.phase.store(phase, std::memory_order_release);
}

void Journal::mark_stopping() {
  std::launder(reinterpret_cast<Header*>(memory_))->stopping = 1;
}

void Journal::mark_on_crash() {
  marked = memory_;
  struct sigaction action {};
  action.sa_handler = on_fatal_signal;
  for (std::size_t i = 0; i < kFatal.size(); ++i) ::sigaction(kFatal[i], &action, &before[i]);
}

JournalEntry Journal::entry(int slot) const {
  return entry_of(slot_at(memory_, slot), steady_now(), &Slot::steady_ns);
}

std::vector<FoundJournal> find_journals(const std::filesystem::path& state_folder) {
  std::vector<FoundJournal> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(state_folder, error), end; !error && it != end;
       it.increment(error)) {
    const auto name = it->path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    // F_OFD_GETLK asks whether a write lock could be had, which needs no writing.
    const int fd = ::open(it->path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    Header header{};
    if (::pread(fd, &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header) &&
        header.magic == kMagic && header.slots >= 0 && header.slots <= 4096) {
      FoundJournal journal{it->path(),
                           header.rank,
                           text_of(header.host.data(), header.host.size()),
                           header.process,
                           lock(fd, true),
                           header.stopping != 0,
                           {}};
      const std::int64_t now = wall_now();
      for (int i = 0; i < header.slots; ++i) {
        alignas(Slot) std::array<char, sizeof(Slot)> bytes{};
        if (::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(file_size(i))) !=
            static_cast<ssize_t>(bytes.size()))
          break;
        const auto entry =
            entry_of(*std::launder(reinterpret_cast<const Slot*>(bytes.data())), now, &Slot::wall_ns);
        if (entry.phase != Phase::kIdle && entry.phase <= kLastPhase) journal.in_flight.push_back(entry);
      }
      found.push_back(std::move(journal));
    }
    ::close(fd);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.path < b.path;
  });
  return found;
}

}  // namespace quasar::pipeline
