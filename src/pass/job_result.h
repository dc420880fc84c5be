// Owns the job's last word to whoever launched it: its exit status in a file, as launchers have their own
// idea of that (srun ends with 0 where it could start no task, mpirun with 1 or 137 where ranks ended with
// 10).
#pragma once

namespace quasar::pass {

/// Writes the exit status, a number and a line feed, to the file that the environment variable QUASAR_RESULT
/// names; does nothing without it. A file that cannot be written is as if the job had not spoken: nothing is
/// thrown. For rank 0, or who is left.
void write_job_result(int exit_status) noexcept;

}  // namespace quasar::pass
