#include "study/study.h"

#include "engine/engine.h"

namespace quasar::jobs {

void study(const StudyOptions& options, const comm::Communicator& comm) {
  study::StudyConfig config;
  comm.together([&] { config = study::load_study(options.config, options.overrides); });
  comm.dispatcher().set_limit(config.stall_timeout_s);
  study::run_study(config, options.plan_only ? study::StudyExtent::kPlan : study::StudyExtent::kRun, comm);
}

}  // namespace quasar::jobs
