#include "comm/communicator.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "comm/mpi_handle.h"

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
void reduce_in_place(std::span<T> values, MPI_Datatype type, Reduction reduction, MPI_Comm comm) {
  for (std::size_t begin = 0; begin < values.size(); begin += kPiece) {
    const auto count = static_cast<int>(std::min(kPiece, values.size() - begin));
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, values.data() + begin, count, type, to_mpi(reduction), comm),
              "MPI_Allreduce");
  }
}

}  // namespace

Environment::Environment(int& argc, char**& argv) {
  int provided = 0;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

Environment::~Environment() {
  MPI_Finalize();
}

std::string Environment::library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string version(text.data(), static_cast<std::size_t>(length));
  return version.substr(0, version.find(", package"));
}

void Environment::abort(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::abort();
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
  return Communicator(std::move(handle));
}

Communicator Communicator::self() {
  auto handle = std::make_shared<Handle>();
  handle->comm = MPI_COMM_SELF;
  return Communicator(std::move(handle));
}

void Communicator::barrier() const {
  check_mpi(MPI_Barrier(handle_->comm), "MPI_Barrier");
}

void Communicator::all_reduce(std::span<std::int64_t> values, Reduction reduction) const {
  reduce_in_place(values, MPI_INT64_T, reduction, handle_->comm);
}

void Communicator::all_reduce(std::span<std::uint64_t> values, Reduction reduction) const {
  reduce_in_place(values, MPI_UINT64_T, reduction, handle_->comm);
}

void Communicator::all_reduce(std::span<double> values, Reduction reduction) const {
  QUASAR_CHECK(reduction != Reduction::kSum);
  reduce_in_place(values, MPI_DOUBLE, reduction, handle_->comm);
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
  for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
    const auto count = static_cast<int>(std::min(kPiece, bytes.size() - begin));
    check_mpi(MPI_Bcast(bytes.data() + begin, count, MPI_BYTE, root, handle_->comm), "MPI_Bcast");
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
  std::vector<std::uint64_t> send_sizes(parts.size());
  std::vector<std::uint64_t> receive_sizes(parts.size());
  std::transform(parts.begin(), parts.end(), send_sizes.begin(),
                 [](const auto& part) { return part.size(); });
  check_mpi(
      MPI_Alltoall(send_sizes.data(), 1, MPI_UINT64_T, receive_sizes.data(), 1, MPI_UINT64_T, handle_->comm),
      "MPI_Alltoall");
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
  check_mpi(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE),
            "MPI_Waitall");
  return received;
}

void Communicator::together(const std::function<void()>& work) const {
  std::string message;
  auto code = base::ExitCode::kOk;
  try {
    work();
  } catch (const base::Error& error) {
    code = error.code();
    message = error.what();
  } catch (const std::filesystem::filesystem_error& error) {
    // A file or folder that may not be looked at, or is gone meanwhile, is no fault of the program.
    code = base::ExitCode::kInput;
    message = error.what();
  } catch (const std::exception& error) {
    code = base::ExitCode::kInternal;
    message = error.what();
  }
  const bool failed = code != base::ExitCode::kOk;
  const std::int64_t first = all_reduce(failed ? std::int64_t{rank_} : std::int64_t{size_}, Reduction::kMin);
  if (first == size_) return;
  auto code_number = static_cast<int>(code);
  broadcast(std::as_writable_bytes(std::span(&code_number, 1)), static_cast<int>(first));
  broadcast(message, static_cast<int>(first));
  throw base::Error(static_cast<base::ExitCode>(code_number), message);
}

void Communicator::on_root(const std::function<void()>& work) const {
  together([&] {
    if (is_root()) work();
  });
}

}  // namespace quasar::comm
