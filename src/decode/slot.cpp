#include "decode/slot.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/errors.h"
#include "base/logging.h"
#include "base/progress.h"
#include "base/sanitized.h"
#include "base/version.h"
#include "decode/channel.h"
#include "decode/memory_need.h"
#include "decode/patience.h"
#include "image/resize.h"

namespace quasar::decode {
namespace {

using base::RowStatus;
using Clock = std::chrono::steady_clock;

/// Of each area, what stays for the next picture.
constexpr std::uint64_t kKept = std::uint64_t{4} << 20U;
/// A file of up to this size is read without a claim.
constexpr std::uint64_t kStandingInput = std::uint64_t{16} << 20U;
/// Writable memory that a worker may ask for when its picture needs `own` bytes: some is asked for and never
/// touched, as stacks of threads, and the gaps of an allocator.
constexpr std::uint64_t data_limit(std::uint64_t own) {
  return own + own / 4 + (std::uint64_t{32} << 20U);
}
/// Longest start: libraries may come from a slow file system.
constexpr double kStartSeconds = 120;

/// Sanitizers reserve more memory than there is.
#if defined(QUASAR_SANITIZED)
constexpr bool kLimited = false;
#else
constexpr bool kLimited = true;
#endif

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint64_t pixels_bytes(int width, int height) {
  return static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height) * 3;
}

/// The room that pixels have without asking.
std::uint64_t kept_output(const base::InputSpec& spec) {
  return std::max(kKept, spec.fixed_shape() ? pixels_bytes(spec.size, spec.size) : 0);
}

image::Prepared failed(RowStatus status, std::string error) {
  image::Prepared prepared;
  prepared.status = status;
  prepared.error = std::move(error);
  return prepared;
}

std::string limit_text(const PoolShared& shared) {
  return fmt::format("the {} that one picture may take {}", base::human_bytes(shared.most()),
                     shared.config.memory > 0 ? "by the key memory" : "of this machine's memory");
}

std::string crash_message(const Death& death) {
  const std::string message = "decoding it ended the decoder with " + describe(death);
  return death.signal == SIGKILL ? message +
                                       ", twice: not by this program, but perhaps by the system for want of "
                                       "memory"
                                 : message;
}

}  // namespace

PoolShared::PoolShared(PoolConfig pool_config, std::uint64_t gate_capacity)
    : config(std::move(pool_config)),
      gate(gate_capacity),
      interrupted(out_of_the_way(::eventfd(0, EFD_CLOEXEC), "eventfd")) {}

Slot::Slot(PoolShared& shared)
    : shared_(shared),
      input_("quasar-input", static_cast<std::uint64_t>(shared.config.decode.max_file_bytes)),
      output_("quasar-output", kept_output(shared.config.spec)),
      input_to_read_(input_.read_only()),
      kept_output_(output_.size()) {
  input_.seal_size();
}

void Slot::start() {
  ready_ = false;
  raised_ = false;
  process_ = std::make_unique<WorkerProcess>(shared_.spawner, shared_.config.program, input_to_read_.number(),
                                             output_.descriptor());
  id_ = process_->id();
  Start message;
  message.version.set(base::version());
  message.config = shared_.config.decode;
  message.spec = shared_.config.spec;
  message.standing = kStandingBytes;
  message.kept_output = kept_output_;
  // Where it fails the process is gone, which shows when it is waited for.
  send(process_->control(), message);
}

bool Slot::wait_until_ready() {
  if (ready_) return true;
  const auto begin = Clock::now();
  const auto& program = shared_.config.program;
  double waited = 0;
  for (int kills = 0; !ready_;) {
    if (!process_) start();
    constexpr double kTurn = 0.2;
    const auto turn = wait(kTurn);
    if (turn == Ready::kInterrupted) return false;
    if (turn == Ready::kNothing) {
      waited += kTurn;
      if (waited < kStartSeconds) continue;
      base::fail(base::ExitCode::kInternal, fmt::format("the decoder {} is not ready {} s after its start",
                                                        program.string(), kStartSeconds));
    }
    const auto received = receive(process_->control());
    const auto message = received ? received->as<decode::Ready>() : std::nullopt;
    if (message) {
      ready_ = true;
      if (message->filtered == 0 && !shared_.unfiltered_reported.exchange(true)) {
        base::log_warning(
            "this kernel does not filter system calls (seccomp): a picture that takes a decoder over could "
            "reach "
            "files and the network");
      }
      break;
    }
    const Death death = process_->end_of_closed();
    end_process();
    // One that is starting is as likely to be chosen by the system when memory is short as any other.
    constexpr int kMostKills = 10;
    if (death.signal == SIGKILL && ++kills < kMostKills) continue;
    const bool other_build = death.signal == 0 && death.exit_status == kExitBadStart;
    base::fail(base::ExitCode::kInternal,
               fmt::format("the decoder {} ended at its start with {}; {}", program.string(), describe(death),
                           other_build ? "it is of another build: install quasar and quasar-decode together"
                                       : "\"" + program.string() + " --version\" may say why"));
  }
  fresh_ = true;
  idle_data_ = process_->data_bytes();
  if (kLimited) process_->limit_data(idle_data_ + data_limit(kStandingBytes));
  const std::uint64_t resident = process_->resident_bytes();
  std::uint64_t largest = shared_.idle_bytes;
  while (resident > largest && !shared_.idle_bytes.compare_exchange_weak(largest, resident)) {
  }
  if (std::exchange(replacing_, false)) {
    shared_.restart_ns += static_cast<std::uint64_t>(1e9 * seconds_since(begin));
  }
  return true;
}

std::optional<Room> Slot::room(std::uint64_t size) {
  release();
  if (size > kStandingInput) {
    const std::uint64_t more = size - kStandingInput;
    if (more > shared_.gate.capacity()) {
      ++shared_.out_of_memory;
      return Room{
          RowStatus::kOutOfMemory,
          fmt::format("its file of {} alone is more than {}", base::human_bytes(size), limit_text(shared_)),
          {}};
    }
    claim_ = shared_.gate.acquire_first(more);
    if (!claim_) return std::nullopt;
  }
  return Room{RowStatus::kOk, {}, input_.map(size)};
}

std::optional<image::Prepared> Slot::decode(const PictureRequest& request, std::uint64_t size) {
  QUASAR_CHECK(size <= input_.size());
  const auto finished = [&](image::Prepared prepared) {
    release(request.hold && prepared.status == RowStatus::kOk);
    if (size > kKept) input_.give_back(kKept);
    ++shared_.pictures;
    if (prepared.status == RowStatus::kCrashed) ++shared_.crashed;
    if (prepared.status == RowStatus::kTimedOut) ++shared_.timed_out;
    if (prepared.status == RowStatus::kOutOfMemory) ++shared_.out_of_memory;
    return prepared;
  };
  bool everything = false;
  bool again = false;
  while (true) {
    if (!wait_until_ready()) return std::nullopt;
    const bool was_fresh = std::exchange(fresh_, false);
    Attempt outcome = attempt(request, size, everything);
    switch (outcome.kind) {
      case Attempt::Kind::kInterrupted:
        end_process();
        ready_ = false;
        release();
        return std::nullopt;
      case Attempt::Kind::kTooLarge:
        return finished(std::move(outcome.prepared));
      case Attempt::Kind::kHung:
        replace();
        return finished(
            failed(RowStatus::kTimedOut, fmt::format("decoding took longer than decode.timeout_s ({} s)",
                                                     shared_.config.decode.timeout_s)));
      case Attempt::Kind::kLied:
        replace();
        return finished(failed(RowStatus::kCrashed, "decoding it made the decoder answer what is no answer"));
      case Attempt::Kind::kDone:
        if (outcome.prepared.status != RowStatus::kOutOfMemory) return finished(std::move(outcome.prepared));
        break;
      case Attempt::Kind::kDied: {
        if (outcome.death.signal == 0 && outcome.death.exit_status == kExitOutOfMemory) break;
        replace();
        // What ended it may have been left by an earlier picture; a kill from outside may have met it by
        // chance.
        const bool certain = again || (was_fresh && outcome.death.signal != SIGKILL);
        if (certain) return finished(failed(RowStatus::kCrashed, crash_message(outcome.death)));
        again = true;
        continue;
      }
    }
    // It was refused memory: its share may have been estimated too low, or be in pieces.
    replace();
    if (everything) {
      return finished(failed(RowStatus::kOutOfMemory, "decoding it takes more than " + limit_text(shared_)));
    }
    everything = true;
  }
}

Slot::Attempt Slot::attempt(const PictureRequest& request, std::uint64_t size, bool everything) {
  if (everything) {
    // What the file's bytes have claimed is given back first, as holding it would stop others who wait.
    claim_.reset();
    if (!claim(shared_.gate.capacity())) return {.kind = Attempt::Kind::kInterrupted};
    raised_ = true;
    if (kLimited) process_->limit_data(idle_data_ + data_limit(shared_.most()));
  }
  Request message;
  message.id.set(request.id);
  message.bytes = size;
  if (request.distortion) {
    message.distortion = static_cast<std::int32_t>(request.distortion->kind);
    message.level = request.distortion->level;
    message.seed = request.distortion->seed;
  }
  if (!send(process_->control(), message)) {
    return {.kind = Attempt::Kind::kDied, .death = process_->end_of_closed()};
  }
  return watch(size, everything);
}

Slot::Attempt Slot::watch(std::uint64_t size, bool everything) {
  Patience patience(shared_.config.decode.timeout_s, process_->processor_seconds());
  bool asked = false;
  std::optional<Attempt> refused;
  while (true) {
    const double meant = patience.turn();
    const auto begin = Clock::now();
    const auto turn = wait(meant);
    if (turn == Ready::kInterrupted) return {.kind = Attempt::Kind::kInterrupted};
    if (turn == Ready::kNothing) {
      if (patience.over_after(meant, seconds_since(begin), process_->processor_seconds()))
        return {.kind = Attempt::Kind::kHung};
      continue;
    }
    const auto received = receive(process_->control());
    if (!received) return {.kind = Attempt::Kind::kDied, .death = process_->end_of_closed()};
    if (const auto result = received->as<Result>()) return refused ? std::move(*refused) : take(*result);
    const auto need = received->as<Need>();
    if (!need || asked) return {.kind = Attempt::Kind::kLied};
    asked = true;
    refused = answer(*need, size, everything);
    if (refused && refused->kind != Attempt::Kind::kTooLarge) return std::move(*refused);
  }
}

std::optional<Slot::Attempt> Slot::answer(const Need& need, std::uint64_t size, bool everything) {
  const std::uint64_t most = shared_.most();
  // One by one, as their sum may be more than a number holds.
  const bool too_large =
      need.own > most || need.output > most || size > most || need.own + need.output + size > most;
  Verdict verdict;
  if (too_large) {
    send(process_->control(), verdict);
    const bool says_all = need.own < (std::uint64_t{1} << 60U) && need.output < (std::uint64_t{1} << 60U);
    Attempt refused{.kind = Attempt::Kind::kTooLarge};
    refused.prepared =
        failed(RowStatus::kOutOfMemory,
               fmt::format("decoding {}x{} pixels of {} takes about {}, more than {}", need.width,
                           need.height, need.format.view(),
                           says_all ? base::human_bytes(need.own + need.output + size) : "too much",
                           limit_text(shared_)));
    refused.prepared.width = need.width;
    refused.prepared.height = need.height;
    refused.prepared.format = need.format.view();
    return refused;
  }
  const std::uint64_t all = need.own + need.output + size;
  if (!everything) {
    if (!claim(all > kStandingBytes ? all - kStandingBytes : 0))
      return Attempt{.kind = Attempt::Kind::kInterrupted};
    raised_ = true;
    if (kLimited) process_->limit_data(process_->data_bytes() + data_limit(need.own));
  }
  if (need.output > output_.size()) output_.resize(need.output);
  verdict.go = 1;
  // Where it fails the process is gone, which shows when it is waited for.
  send(process_->control(), verdict);
  return std::nullopt;
}

Slot::Attempt Slot::take(const Result& result) {
  Attempt lied{.kind = Attempt::Kind::kLied};
  Attempt done;
  const auto& config = shared_.config;
  const auto statuses = base::all_statuses();
  const auto format = result.format.view();
  const bool plausible =
      result.status < statuses.size() && result.width >= 0 && result.height >= 0 &&
      std::all_of(format.begin(), format.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (!plausible) return lied;
  auto& prepared = done.prepared;
  prepared.status = static_cast<RowStatus>(result.status);
  prepared.error = result.error.view();
  prepared.width = result.width;
  prepared.height = result.height;
  prepared.format = format;
  if (prepared.status != RowStatus::kOk)
    return prepared.error.empty() && prepared.status != RowStatus::kOutOfMemory ? lied : done;
  const auto& limits = config.decode;
  const bool within = result.width > 0 && result.height > 0 &&
                      std::max(result.width, result.height) <= limits.max_side &&
                      std::int64_t{result.width} * result.height <= limits.max_pixels &&
                      (prepared.error.empty() || limits.truncated == image::TruncatedPictures::kKeep);
  if (!within) return lied;
  const std::pair got(result.image_width, result.image_height);
  const bool fits =
      got == image::fitted_size(result.width, result.height, config.spec) ||
      (limits.honour_orientation && got == image::fitted_size(result.height, result.width, config.spec));
  if (!fits || pixels_bytes(got.first, got.second) > output_.size()) return lied;
  const auto hashes =
      std::span(result.hashes).first(std::min<std::size_t>(result.hash_count, result.hashes.size()));
  const auto odd = [](const image::PdqHash& hash) { return hash.quality < 0 || hash.quality > 100; };
  if (hashes.size() != static_cast<std::size_t>(limits.perceptual_hashes) || std::ranges::any_of(hashes, odd))
    return lied;
  prepared.hashes.assign(hashes.begin(), hashes.end());
  prepared.image = image::RgbImage(got.first, got.second);
  if (!output_.read(std::as_writable_bytes(std::span(prepared.image.pixels)))) return lied;
  return done;
}

bool Slot::claim(std::uint64_t bytes) {
  if (claim_ && claim_->open()) return claim_->grow(std::max(bytes, claim_->bytes()));
  if (claim_ && claim_->bytes() >= bytes) return true;
  claim_.reset();
  claim_ = shared_.gate.acquire(bytes);
  return claim_.has_value();
}

Slot::Ready Slot::wait(double seconds) const {
  pollfd polled[] = {{process_->control(), POLLIN, 0}, {shared_.interrupted.number(), POLLIN, 0}};
  timespec time{};
  time.tv_sec = static_cast<time_t>(seconds);
  time.tv_nsec = static_cast<long>(1e9 * (seconds - std::floor(seconds)));
  const int ready = ::ppoll(polled, 2, &time, nullptr);
  if (ready <= 0) return Ready::kNothing;
  return polled[1].revents != 0 ? Ready::kInterrupted : Ready::kMessage;
}

void Slot::end_process() {
  id_ = -1;
  process_.reset();
}

void Slot::replace() {
  end_process();
  if (output_.size() != kept_output_) output_.resize(kept_output_);
  ++shared_.restarts;
  replacing_ = true;
  start();
}

void Slot::release(bool hold) {
  if (output_.size() != kept_output_) output_.resize(kept_output_);
  if (std::exchange(raised_, false) && process_ && kLimited)
    process_->limit_data(idle_data_ + data_limit(kStandingBytes));
  if (!hold) claim_.reset();
}

}  // namespace quasar::decode
