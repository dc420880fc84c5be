#include "comm/dispatch_channel.h"

#include <utility>

namespace quasar::comm {
namespace {

constexpr int kTag = 1;
/// Two texts and the numbers beside them.
constexpr std::size_t kMostBytes = 2 * kMostTextBytes + 512;

}  // namespace

Dispatcher::Channel::Channel(MPI_Comm comm, bool is_root)
    : comm_(comm), from_(is_root ? MPI_ANY_SOURCE : 0), incoming_(kMostBytes) {
  MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  post();
}

Dispatcher::Channel::~Channel() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized == 0) MPI_Comm_free(&comm_);
}

void Dispatcher::Channel::post() {
  check_mpi(MPI_Irecv(incoming_.data(), static_cast<int>(incoming_.size()), MPI_BYTE, from_, kTag, comm_,
                      &request_),
            "MPI_Irecv");
}

void Dispatcher::Channel::send(int rank, std::string bytes) {
  auto& sent = sent_.emplace_back(Sent{std::move(bytes), MPI_REQUEST_NULL});
  check_mpi(MPI_Isend(sent.bytes.data(), static_cast<int>(sent.bytes.size()), MPI_BYTE, rank, kTag, comm_,
                      &sent.request),
            "MPI_Isend");
}

std::optional<std::pair<int, std::string_view>> Dispatcher::Channel::receive() {
  int done = 0;
  MPI_Status status;
  check_mpi(MPI_Test(&request_, &done, &status), "MPI_Test");
  if (done == 0) return {};
  int count = 0;
  MPI_Get_count(&status, MPI_BYTE, &count);
  letter_.assign(incoming_.begin(), incoming_.begin() + count);
  post();
  return {{status.MPI_SOURCE, std::string_view(letter_.data(), letter_.size())}};
}

bool Dispatcher::Channel::all_sent() {
  while (!sent_.empty()) {
    int done = 0;
    check_mpi(MPI_Test(&sent_.front().request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done == 0) return false;
    sent_.pop_front();
  }
  return true;
}

void Dispatcher::Channel::close() {
  if (request_ == MPI_REQUEST_NULL) return;
  MPI_Cancel(&request_);
  MPI_Wait(&request_, MPI_STATUS_IGNORE);
}

}  // namespace quasar::comm
