// Owns the list of the jobs that quasar-engine alone does, a file each in this folder.
#pragma once

#include "job.h"

namespace quasar::jobs {

void run(const RunOptions& options, const comm::Communicator& comm);
void embed(const EmbedOptions& options, const comm::Communicator& comm);
void anchors(const ConfigOptions& options, const comm::Communicator& comm);
void score(const ConfigOptions& options, const comm::Communicator& comm);
void plan(const ConfigOptions& options, const comm::Communicator& comm);
void verify(const VerifyOptions& options, const comm::Communicator& comm);
void study(const StudyOptions& options, const comm::Communicator& comm);
void scenes(const SceneOptions& options, const comm::Communicator& comm);
void evaluate(const EvaluateOptions& options, const comm::Communicator& comm);
void copies(const CopiesOptions& options, const comm::Communicator& comm);
void evaluate_distortions(const EvaluateOptions& options, const comm::Communicator& comm);
void hash(const HashOptions& options, const comm::Communicator& comm);

}  // namespace quasar::jobs
