#include "store/inspect.h"

#include <fmt/format.h>

#include <cstdio>

#include "job.h"

namespace quasar::jobs {

void register_inspect(CLI::App& app, const EngineJobs& /*engine*/, Work& chosen) {
  auto file = std::make_shared<std::filesystem::path>();
  auto* command = app.add_subcommand("inspect", "Say what an HDF5 file of ours holds, provenance included");
  command->add_option("FILE", *file, "Embedding shard, score shard, anchor file or embeddings.h5")
      ->required();
  command->callback([file, &chosen] {
    chosen = [file](const comm::Communicator& comm) {
      comm.on_root([&] { fmt::print("{}\n", store::inspect(*file)); });
    };
  });
}

}  // namespace quasar::jobs
