#include "comm/communicator.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <utility>

#include "comm/dispatch_channel.h"
#include "comm/mpi_handle.h"
#include "comm/waiting.h"

namespace quasar::comm {
namespace {

/// Collectives are split into pieces of this many elements: MPI counts are int.
constexpr std::size_t kPiece = std::size_t{1} << 28U;

MPI_Op to_mpi(Reduction reduction) {
  switch (reduction) {
    case Reduction::kSum:
      return MPI_SUM;
    case Reduction::kMin:
      return MPI_MIN;
    case Reduction::kMax:
      return MPI_MAX;
  }
  return MPI_OP_NULL;
}

template <typename T>
void reduce_in_place(std::span<T> values, MPI_Datatype type, Reduction reduction,
                     const Communicator::Handle& handle) {
  for (std::size_t begin = 0; begin < values.size(); begin += kPiece) {
    const auto count = static_cast<int>(std::min(kPiece, values.size() - begin));
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Iallreduce(MPI_IN_PLACE, values.data() + begin, count, type, to_mpi(reduction), handle.comm,
                             &request),
              "MPI_Iallreduce");
    finish(std::span(&request, 1), handle);
  }
}

/// Set while this thread is in work that may fail on its rank alone.
thread_local bool in_own_work = false;

class OwnWork {
 public:
  OwnWork() : outer_(std::exchange(in_own_work, true)) {}
  ~OwnWork() { in_own_work = outer_; }
  OwnWork(const OwnWork&) = delete;
  OwnWork& operator=(const OwnWork&) = delete;

 private:
  bool outer_;
};

constexpr int kHostBytes = 64;

/// Name of every rank's host.
std::vector<std::string> host_names(MPI_Comm comm, int size) {
  std::array<char, kHostBytes> own{};
  ::gethostname(own.data(), own.size() - 1);
  std::vector<char> all(static_cast<std::size_t>(kHostBytes) * static_cast<std::size_t>(size));
  check_mpi(MPI_Allgather(own.data(), kHostBytes, MPI_CHAR, all.data(), kHostBytes, MPI_CHAR, comm),
            "MPI_Allgather");
  std::vector<std::string> names;
  for (int r = 0; r < size; ++r) names.emplace_back(all.data() + static_cast<std::ptrdiff_t>(kHostBytes) * r);
  return names;
}

}  // namespace

std::string thread_level_fault(int provided, int ranks) {
  if (provided >= MPI_THREAD_MULTIPLE || ranks == 1) return {};
  const char* const level = provided == MPI_THREAD_SERIALIZED ? "MPI_THREAD_SERIALIZED"
                            : provided == MPI_THREAD_FUNNELED ? "MPI_THREAD_FUNNELED"
                                                              : "MPI_THREAD_SINGLE";
  return std::string("the MPI library lets threads go no further than ") + level + ", and a job of " +
         std::to_string(ranks) +
         " ranks needs MPI_THREAD_MULTIPLE; load an MPI that was built with threads (ompi_info tells of Open "
         "MPI), or start one rank";
}

Environment::Environment(int& argc, char**& argv) {
  int provided = 0;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (const auto fault = thread_level_fault(provided, size); !fault.empty()) {
    MPI_Finalize();
    base::fail(base::ExitCode::kConfig, fault);
  }
}

Environment::~Environment() {
  MPI_Finalize();
}

int Environment::rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

std::string Environment::library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string version(text.data(), static_cast<std::size_t>(length));
  return version.substr(0, version.find(", package"));
}

void Environment::abort(int exit_code) {
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  if (initialized != 0 && finalized == 0) MPI_Abort(MPI_COMM_WORLD, exit_code);
}

Communicator::Communicator(std::shared_ptr<Handle> handle) : handle_(std::move(handle)) {
  check_mpi(MPI_Comm_rank(handle_->comm, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(handle_->comm, &size_), "MPI_Comm_size");
  MPI_Comm local = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(handle_->comm, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local),
            "MPI_Comm_split_type");
  MPI_Comm_rank(local, &local_rank_);
  MPI_Comm_size(local, &local_size_);
  MPI_Comm_free(&local);
}

Communicator Communicator::world() {
  auto handle = std::make_shared<Handle>();
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &handle->comm), "MPI_Comm_dup");
  handle->owned = true;
  MPI_Comm_set_errhandler(handle->comm, MPI_ERRORS_RETURN);
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(handle->comm, &rank);
  MPI_Comm_size(handle->comm, &size);
  auto hosts = host_names(handle->comm, size);
  std::unique_ptr<Dispatcher::Channel> channel;
  if (size > 1) {
    MPI_Comm comm = MPI_COMM_NULL;
    check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &comm), "MPI_Comm_dup");
    channel = std::make_unique<Dispatcher::Channel>(comm, rank == 0);
  }
  handle->dispatcher = std::make_unique<Dispatcher>(rank, std::move(hosts), std::move(channel));
  return Communicator(std::move(handle));
}

Communicator Communicator::self() {
  auto handle = std::make_shared<Handle>();
  handle->comm = MPI_COMM_SELF;
  handle->dispatcher = std::make_unique<Dispatcher>(0, host_names(MPI_COMM_SELF, 1), nullptr);
  return Communicator(std::move(handle));
}

Dispatcher& Communicator::dispatcher() const {
  return *handle_->dispatcher;
}

void Communicator::check_place(const char* call) const {
  if (!in_own_work || size_ == 1) return;
  base::fail(
      base::ExitCode::kInternal,
      std::string(call) + " inside of work that may fail on one rank alone: the others would wait for it");
}

void Communicator::barrier() const {
  check_place("barrier");
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(handle_->comm, &request), "MPI_Ibarrier");
  finish(std::span(&request, 1), *handle_);
}

void Communicator::all_reduce(std::span<std::int64_t> values, Reduction reduction) const {
  check_place("all_reduce");
  reduce_in_place(values, MPI_INT64_T, reduction, *handle_);
}

void Communicator::all_reduce(std::span<std::uint64_t> values, Reduction reduction) const {
  check_place("all_reduce");
  reduce_in_place(values, MPI_UINT64_T, reduction, *handle_);
}

void Communicator::all_reduce(std::span<double> values, Reduction reduction) const {
  QUASAR_CHECK(reduction != Reduction::kSum);
  check_place("all_reduce");
  reduce_in_place(values, MPI_DOUBLE, reduction, *handle_);
}

std::int64_t Communicator::all_reduce(std::int64_t value, Reduction reduction) const {
  all_reduce(std::span(&value, 1), reduction);
  return value;
}

double Communicator::all_reduce(double value, Reduction reduction) const {
  all_reduce(std::span(&value, 1), reduction);
  return value;
}

void Communicator::broadcast(std::span<std::byte> bytes, int root) const {
  check_place("broadcast");
  for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
    const auto count = static_cast<int>(std::min(kPiece, bytes.size() - begin));
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibcast(bytes.data() + begin, count, MPI_BYTE, root, handle_->comm, &request), "MPI_Ibcast");
    finish(std::span(&request, 1), *handle_);
  }
}

void Communicator::broadcast(std::string& text, int root) const {
  std::uint64_t size = text.size();
  broadcast(std::as_writable_bytes(std::span(&size, 1)), root);
  text.resize(size);
  broadcast(std::as_writable_bytes(std::span(text.data(), text.size())), root);
}

std::vector<std::string> Communicator::all_gather(const std::string& text) const {
  const std::vector<std::span<const std::byte>> parts(static_cast<std::size_t>(size_),
                                                      std::as_bytes(std::span(text.data(), text.size())));
  std::vector<std::string> texts;
  for (const auto& part : exchange_bytes(parts)) {
    texts.emplace_back(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return texts;
}

std::vector<std::string> Communicator::gather(const std::string& text, int root) const {
  std::vector<std::span<const std::byte>> parts(static_cast<std::size_t>(size_));
  parts[static_cast<std::size_t>(root)] = std::as_bytes(std::span(text.data(), text.size()));
  std::vector<std::string> texts;
  for (const auto& part : exchange_bytes(parts)) {
    if (rank_ == root) texts.emplace_back(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return texts;
}

std::vector<std::vector<std::byte>> Communicator::exchange_bytes(
    const std::vector<std::span<const std::byte>>& parts) const {
  QUASAR_CHECK(parts.size() == static_cast<std::size_t>(size_));
  check_place("exchange");
  std::vector<std::uint64_t> send_sizes(parts.size());
  std::vector<std::uint64_t> receive_sizes(parts.size());
  std::transform(parts.begin(), parts.end(), send_sizes.begin(),
                 [](const auto& part) { return part.size(); });
  MPI_Request sizes = MPI_REQUEST_NULL;
  check_mpi(MPI_Ialltoall(send_sizes.data(), 1, MPI_UINT64_T, receive_sizes.data(), 1, MPI_UINT64_T,
                          handle_->comm, &sizes),
            "MPI_Ialltoall");
  finish(std::span(&sizes, 1), *handle_);
  // Point to point in pieces rather than MPI_Alltoallv, whose int displacements end at 2 GiB.
  std::vector<std::vector<std::byte>> received(parts.size());
  std::vector<MPI_Request> requests;
  for (std::size_t r = 0; r < parts.size(); ++r) {
    received[r].resize(receive_sizes[r]);
    for (std::size_t begin = 0; begin < receive_sizes[r]; begin += kPiece) {
      const auto count = static_cast<int>(std::min<std::size_t>(kPiece, receive_sizes[r] - begin));
      check_mpi(MPI_Irecv(received[r].data() + begin, count, MPI_BYTE, static_cast<int>(r), 1, handle_->comm,
                          &requests.emplace_back()),
                "MPI_Irecv");
    }
  }
  for (std::size_t r = 0; r < parts.size(); ++r) {
    for (std::size_t begin = 0; begin < parts[r].size(); begin += kPiece) {
      const auto count = static_cast<int>(std::min<std::size_t>(kPiece, parts[r].size() - begin));
      check_mpi(MPI_Isend(parts[r].data() + begin, count, MPI_BYTE, static_cast<int>(r), 1, handle_->comm,
                          &requests.emplace_back()),
                "MPI_Isend");
    }
  }
  finish(requests, *handle_);
  return received;
}

Outcome Communicator::attempt(const std::function<void()>& work) const {
  try {
    const OwnWork own;
    work();
  } catch (const base::Error& error) {
    return {error.code(), error.what()};
  } catch (const std::filesystem::filesystem_error& error) {
    // A file or folder that may not be looked at, or is gone meanwhile, is no fault of the program.
    return {base::ExitCode::kInput, error.what()};
  } catch (const std::exception& error) {
    return {base::ExitCode::kInternal, error.what()};
  }
  return {};
}

void Communicator::together(const std::function<void()>& work) const {
  check_place("together");
  auto outcome = attempt(work);
  const bool failed = outcome.code != base::ExitCode::kOk;
  const std::int64_t first = all_reduce(failed ? std::int64_t{rank_} : std::int64_t{size_}, Reduction::kMin);
  if (first == size_) return;
  auto code = static_cast<int>(outcome.code);
  broadcast(std::as_writable_bytes(std::span(&code, 1)), static_cast<int>(first));
  broadcast(outcome.message, static_cast<int>(first));
  throw base::Error(static_cast<base::ExitCode>(code), outcome.message);
}

void Communicator::on_root(const std::function<void()>& work) const {
  together([&] {
    if (is_root()) work();
  });
}

}  // namespace quasar::comm
