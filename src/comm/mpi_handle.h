// Internal to the module: MPI's header, and checked calls.
#pragma once

// The C++ bindings, removed from MPI 3, would need a library of their own.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <array>
#include <memory>
#include <string>

#include "comm/communicator.h"
#include "comm/dispatcher.h"

namespace quasar::comm {

/// Owns a duplicate of a communicator, freed with the last copy, and the way to the job's dispatcher.
struct Communicator::Handle {
  MPI_Comm comm = MPI_COMM_NULL;
  bool owned = false;
  std::unique_ptr<Dispatcher> dispatcher;
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    dispatcher.reset();
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (owned && finalized == 0) MPI_Comm_free(&comm);
  }
};

/// Throws Error(kInternal) with MPI's own text when `code` is no success.
inline void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  base::fail(base::ExitCode::kInternal, std::string(call) + " failed: " + text.data());
}

}  // namespace quasar::comm
