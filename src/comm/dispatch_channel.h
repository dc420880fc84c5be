// Internal to the module: letters between rank 0 and the others over MPI, sent and received without waiting.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <vector>

#include "comm/dispatcher.h"
#include "comm/mpi_handle.h"

namespace quasar::comm {

/// For one thread at a time.
class Dispatcher::Channel {
 public:
  /// Takes over `comm`. Construction is not collective.
  Channel(MPI_Comm comm, bool is_root);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void send(int rank, std::string bytes);
  /// The next letter that has come, with its sender; none when none has. Valid until the next call.
  std::optional<std::pair<int, std::string_view>> receive();
  /// Whether everything sent has left.
  bool all_sent();
  /// Receives nothing more.
  void close();

 private:
  struct Sent {
    std::string bytes;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  void post();

  MPI_Comm comm_;
  const int from_;
  std::vector<char> incoming_;
  std::vector<char> letter_;
  MPI_Request request_ = MPI_REQUEST_NULL;
  std::list<Sent> sent_;
};

}  // namespace quasar::comm
