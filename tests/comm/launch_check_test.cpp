#include "comm/launch_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quasar::comm {
namespace {

using testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

const Variables kTask = {{"SLURM_STEP_NUM_TASKS", "3"}, {"SLURM_PROCID", "0"}};

std::optional<LaunchMistake> found(Variables environment, int world = 1, const std::string& group = "") {
  return find_launch_mistake({std::move(environment), group, world});
}

Variables with(Variables variables, const std::string& name, const std::string& value) {
  variables[name] = value;
  return variables;
}

TEST(LaunchCheck, ATaskOfAStepThatMpiTakesForTheWholeJobIsAMistake) {
  const auto mistake = found(kTask);
  ASSERT_TRUE(mistake);
  EXPECT_TRUE(mistake->first);
  EXPECT_THAT(mistake->message, HasSubstr("process 0 of 3"));
  EXPECT_THAT(mistake->message, HasSubstr("srun --mpi=pmix"));
  const auto other =
      found(with(kTask, "SLURM_PROCID", "2"), 1, "0::/system.slice/slurmstepd.scope/job_7/step_0/user");
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->first);
}

TEST(LaunchCheck, RanksThatKnowOfEachOtherAreNone) {
  EXPECT_FALSE(found(kTask, 3));
  // mpirun's helpers are tasks of a step, one for each host.
  EXPECT_FALSE(found(kTask, 8));
}

TEST(LaunchCheck, WhatNoLauncherStartedIsNone) {
  EXPECT_FALSE(found({}));
  // A batch script of three tasks; a shell of salloc.
  EXPECT_FALSE(found({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "3"}, {"SLURM_JOB_ID", "7"}}));
  EXPECT_FALSE(found({{"SLURM_NTASKS", "3"}, {"SLURM_JOB_ID", "7"}}));
  // Submitted from within a step, whose variables it has; adopted by ssh; typed into a terminal.
  EXPECT_FALSE(found(kTask, 1, "0::/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0"));
  EXPECT_FALSE(found(kTask, 1, "0::/system.slice/slurmstepd.scope/job_7/step_interactive/user/task_0"));
  EXPECT_FALSE(found(kTask, 1, "0::/system.slice/slurmstepd.scope/job_7/step_extern/user"));
  EXPECT_FALSE(found(with(kTask, "SLURM_PTY_PORT", "40123")));
}

TEST(LaunchCheck, AStepOfOneTaskIsNone) {
  EXPECT_FALSE(found(with(with(kTask, "SLURM_STEP_NUM_TASKS", "1"), "SLURM_NTASKS", "3")));
  EXPECT_FALSE(found(with(kTask, "SLURM_STEP_NUM_TASKS", "nonsense")));
}

TEST(LaunchCheck, WhatMpirunStartedAloneIsNone) {
  EXPECT_FALSE(found(with(kTask, "OMPI_COMM_WORLD_SIZE", "1")));
  EXPECT_FALSE(found(with(kTask, "PMI_SIZE", "1")));
}

TEST(LaunchCheck, AnotherMpisLauncherIsAMistake) {
  const auto mistake = found({{"PMI_SIZE", "4"}, {"PMI_RANK", "1"}});
  ASSERT_TRUE(mistake);
  EXPECT_FALSE(mistake->first);
  EXPECT_THAT(mistake->message, HasSubstr("process 1 of 4"));
  EXPECT_THAT(mistake->message, HasSubstr("mpirun"));
  const auto slurms = found(with(kTask, "PMI_SIZE", "3"));
  ASSERT_TRUE(slurms);
  EXPECT_THAT(slurms->message, HasSubstr("srun --mpi=pmix"));
}

TEST(LaunchCheck, WhoWantsProcessesThatKnowNothingOfEachOtherGetsThem) {
  EXPECT_FALSE(found(with(kTask, "QUASAR_ALONE", "1")));
}

}  // namespace
}  // namespace quasar::comm
