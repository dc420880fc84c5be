// Owns running the `quasar` program as a user does: alone or under mpirun, with its output and exit status.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace quasar::test {

struct Outcome {
  int status = 0;      ///< Exit status; 128 + number when ended by a signal.
  std::string output;  ///< Standard output and error, as they came.
  /// The most memory that the process, or one that it has waited for, had at once, as the kernel counts it;
  /// bytes.
  std::uint64_t peak_bytes = 0;
};

/// A started program. Destroyed while running, it is killed.
class Program {
 public:
  /// `ranks` 0: without mpirun. Where `environment` sets a hook (QUASAR_TEST_...), it is the program with
  /// hooks (tests/support/hooks) that runs; otherwise the one that ships; `program` instead, if given.
  Program(const std::vector<std::string>& arguments, int ranks,
          const std::vector<std::string>& environment = {}, const std::filesystem::path& program = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void signal(int number) const;
  pid_t process() const { return process_; }
  bool running();
  Outcome wait();
  /// What it has printed so far.
  std::string output() const;

 private:
  /// Takes note of how it ended; false while it runs (with WNOHANG).
  bool collect(int options);

  pid_t process_ = -1;
  std::filesystem::path output_;
  int status_ = -1;
  std::uint64_t peak_bytes_ = 0;
};

/// Runs to the end.
Outcome run_quasar(const std::vector<std::string>& arguments, int ranks = 0,
                   const std::vector<std::string>& environment = {});

/// Has `quasar scenes folder OPTIONS` done: rendered once in this process for each set of options, then
/// copied.
Outcome render_scenes(const std::filesystem::path& folder, const std::vector<std::string>& options);

std::string content(const std::filesystem::path& path);

/// A manifest without the columns that were added since those in tests/store/versions were stored: format,
/// where shards record it, and row.
std::string without_later_columns(const std::string& manifest);
void write_text(const std::filesystem::path& path, const std::string& text);

/// Process numbers of the quasar ranks that work on this configuration file.
std::vector<pid_t> ranks_of(const std::filesystem::path& config);
/// Process numbers of the decode workers that a rank has started.
std::vector<pid_t> decoders_of(pid_t rank);

}  // namespace quasar::test
