// Internal to the module: owns the judgement of when a picture has taken too long.
#pragma once

namespace quasar::decode {

/// Counts a picture's time so that it does not depend on how much of the machine the job has, nor on whether
/// it was suspended: processor time of the worker, and apart from it the turns of waiting in which the worker
/// did nothing, each for no longer than it was meant to last.
class Patience {
 public:
  /// `processor` is the worker's processor time now, seconds.
  Patience(double timeout_s, double processor) : timeout_(timeout_s), start_(processor), last_(processor) {}

  /// How long the next turn of waiting may last, seconds.
  double turn() const;
  /// Ends a turn that was meant to last `meant` and lasted `lasted`. True when the time is over.
  bool over_after(double meant, double lasted, double processor);

 private:
  double timeout_;
  double start_;
  double last_;
  double idle_ = 0;
};

}  // namespace quasar::decode
