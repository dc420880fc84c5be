// A job whose ranks talk to each other all the time and end it, as quasar does, when nothing has come for
// some seconds: what launchers do then can be seen without quasar.
//
//   stalling_job SECONDS [helper]   with "helper", the launcher is ended, too
//
// Prints "rank R: HOST, process P" at the start, and "rank R: ends the job" at the end; exit status 10.
// Without any silence it ends after a minute with 0.
#include <mpi.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "pass/launcher.h"

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int kStalled = 10;
constexpr auto kLonging = 60s;

[[noreturn]] void end_job(int rank, bool helper) {
  std::fprintf(stderr, "rank %d: ends the job\n", rank);
  if (helper) quasar::pass::end_launcher_after(2s);
  // It may hang where the network is gone.
  std::thread([] { MPI_Abort(MPI_COMM_WORLD, kStalled); }).detach();
  std::this_thread::sleep_for(2s);
  ::_exit(kStalled);
}

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
  if (argc < 2) return 2;
  const auto limit = std::chrono::seconds(std::atoi(argv[1]));
  const bool helper = argc > 2 && std::strcmp(argv[2], "helper") == 0;
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  std::fprintf(stderr, "rank %d: %s, process %d\n", rank, host.data(), ::getpid());

  const auto start = Clock::now();
  std::atomic<Clock::duration> heard{Clock::duration::zero()};
  std::thread([&] {
    while (Clock::now() - start - heard.load() < limit) std::this_thread::sleep_for(100ms);
    end_job(rank, helper);
  }).detach();

  int goes_on = 1;
  while (goes_on != 0) {
    int mine = Clock::now() - start < kLonging ? 1 : 0;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Iallreduce(&mine, &goes_on, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD, &request);
    for (int done = 0; done == 0;) {
      MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      std::this_thread::sleep_for(1ms);
    }
    heard = Clock::now() - start;
    std::this_thread::sleep_for(50ms);
  }
  MPI_Finalize();
  return 0;
}
