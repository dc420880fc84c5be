// Owns MPI: its lifetime, communicators as values with the few collectives Quasar uses, agreement on errors.
// MPI's headers stay in the source files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/errors.h"
#include "comm/dispatch_message.h"

namespace quasar::comm {

class Dispatcher;

/// MPI from construction to destruction; one object, in main. A program started without mpirun is a job of
/// one rank.
class Environment {
 public:
  /// Throws Error(kConfig) where several ranks have an MPI that does not let threads call it at once.
  Environment(int& argc, char**& argv);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  /// "Open MPI v4.1.4, ..." of the running library.
  static std::string library_version();
  /// This process's rank in the job.
  static int rank();
  /// Ends all ranks of the job at once with this exit status. Does not return, unless MPI is not running.
  static void abort(int exit_code);
};

/// Why MPI's level of threads does not suffice for that many ranks; empty when it does.
std::string thread_level_fault(int provided, int ranks);

enum class Reduction { kSum, kMin, kMax };

/// A group of ranks. All members are collective unless they say otherwise: every rank calls them in the same
/// order. MPI failures throw Error(kInternal) with the call's name. Waiting ranks sleep.
class Communicator {
 public:
  /// All ranks of the job, with a dispatcher of their own.
  static Communicator world();
  /// This process alone; a job of one.
  static Communicator self();

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool is_root() const { return rank_ == 0; }

  void barrier() const;

  /// Element-wise reduction, in place, the result on every rank. Any length (split below MPI's 2^31 limit).
  /// Integer sums are exact and so independent of rank count; floating-point sums are not and are not
  /// offered.
  void all_reduce(std::span<std::int64_t> values, Reduction reduction) const;
  void all_reduce(std::span<std::uint64_t> values, Reduction reduction) const;
  /// kMin and kMax only (Error(kInternal) for kSum: its result would depend on the order of ranks).
  void all_reduce(std::span<double> values, Reduction reduction) const;
  std::int64_t all_reduce(std::int64_t value, Reduction reduction) const;
  double all_reduce(double value, Reduction reduction) const;

  /// Copies root's bytes to every rank; sizes must agree for the span form, the others resize.
  void broadcast(std::span<std::byte> bytes, int root = 0) const;
  void broadcast(std::string& text, int root = 0) const;
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void broadcast(std::vector<T>& values, int root = 0) const {
    std::uint64_t count = values.size();
    broadcast(std::as_writable_bytes(std::span(&count, 1)), root);
    values.resize(count);
    broadcast(std::as_writable_bytes(std::span(values)), root);
  }

  /// Every rank's text, in rank order, on every rank.
  std::vector<std::string> all_gather(const std::string& text) const;
  /// Every rank's text, in rank order, on root; empty elsewhere.
  std::vector<std::string> gather(const std::string& text, int root = 0) const;

  /// Sends parts[r] to rank r; returns what each rank sent here, in rank order.
  template <typename T>
  requires std::is_trivially_copyable_v<T> std::vector<std::vector<T>> exchange(
      const std::vector<std::vector<T>>& parts)
  const {
    std::vector<std::span<const std::byte>> views;
    views.reserve(parts.size());
    for (const auto& part : parts) views.push_back(std::as_bytes(std::span(part)));
    const auto received = exchange_bytes(views);
    std::vector<std::vector<T>> result(received.size());
    for (std::size_t r = 0; r < received.size(); ++r) {
      result[r].resize(received[r].size() / sizeof(T));
      std::copy(received[r].begin(), received[r].end(), std::as_writable_bytes(std::span(result[r])).begin());
    }
    return result;
  }
  std::vector<std::vector<std::byte>> exchange_bytes(
      const std::vector<std::span<const std::byte>>& parts) const;

  /// Runs `work` on this rank and agrees on the outcome: if it threw on any rank, every rank throws the Error
  /// of the lowest rank that failed. Use around work that can fail on some ranks only, so that none waits for
  /// another. `work` is this rank's alone: a collective of a group of several ranks inside it throws
  /// Error(kInternal), as a rank that had failed before would not take part.
  void together(const std::function<void()>& work) const;
  /// Runs `work`, which is this rank's alone as in together(), and tells how it went. Not collective.
  Outcome attempt(const std::function<void()>& work) const;
  /// Runs `work` on root only, with the agreement of together().
  void on_root(const std::function<void()>& work) const;

  /// The job's dispatcher; of a group of one, its own.
  Dispatcher& dispatcher() const;

  /// Rank and number of ranks on this machine (shared memory domain).
  int local_rank() const { return local_rank_; }
  int local_size() const { return local_size_; }

  /// MPI's own handle, for this module's other classes.
  struct Handle;
  const Handle& handle() const { return *handle_; }

 private:
  explicit Communicator(std::shared_ptr<Handle> handle);
  /// Throws where no collective may be.
  void check_place(const char* call) const;
  std::shared_ptr<Handle> handle_;
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
};

}  // namespace quasar::comm
