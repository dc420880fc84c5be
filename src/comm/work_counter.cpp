#include "comm/work_counter.h"

#include <mutex>

#include "comm/mpi_handle.h"

namespace quasar::comm {

struct WorkCounter::Impl {
  MPI_Win window = MPI_WIN_NULL;
  std::int64_t* memory = nullptr;
  int counters = 0;
  std::mutex mutex;
};

WorkCounter::WorkCounter(const Communicator& communicator, int counters) : impl_(std::make_unique<Impl>()) {
  impl_->counters = counters;
  const MPI_Aint bytes =
      communicator.is_root()
          ? static_cast<MPI_Aint>(static_cast<std::size_t>(counters) * sizeof(std::int64_t))
          : 0;
  check_mpi(MPI_Win_allocate(bytes, static_cast<int>(sizeof(std::int64_t)), MPI_INFO_NULL,
                             communicator.handle().comm, static_cast<void*>(&impl_->memory), &impl_->window),
            "MPI_Win_allocate");
  check_mpi(MPI_Win_lock_all(0, impl_->window), "MPI_Win_lock_all");
  if (communicator.is_root()) {
    for (int i = 0; i < counters; ++i) impl_->memory[i] = 0;
    check_mpi(MPI_Win_sync(impl_->window), "MPI_Win_sync");
  }
  communicator.barrier();
}

WorkCounter::~WorkCounter() {
  MPI_Win_unlock_all(impl_->window);
  MPI_Win_free(&impl_->window);
}

std::int64_t WorkCounter::fetch_add(int counter, std::int64_t increment) {
  QUASAR_CHECK(counter >= 0 && counter < impl_->counters);
  const std::scoped_lock lock(impl_->mutex);
  std::int64_t before = 0;
  check_mpi(MPI_Fetch_and_op(&increment, &before, MPI_INT64_T, 0, counter, MPI_SUM, impl_->window),
            "MPI_Fetch_and_op");
  check_mpi(MPI_Win_flush(0, impl_->window), "MPI_Win_flush");
  return before;
}

std::vector<std::int64_t> WorkCounter::read() {
  const std::scoped_lock lock(impl_->mutex);
  std::vector<std::int64_t> values(static_cast<std::size_t>(impl_->counters));
  const std::int64_t zero = 0;
  for (int i = 0; i < impl_->counters; ++i) {
    check_mpi(MPI_Fetch_and_op(&zero, &values[static_cast<std::size_t>(i)], MPI_INT64_T, 0, i, MPI_NO_OP,
                               impl_->window),
              "MPI_Fetch_and_op");
  }
  check_mpi(MPI_Win_flush(0, impl_->window), "MPI_Win_flush");
  return values;
}

}  // namespace quasar::comm
