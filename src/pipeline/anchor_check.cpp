#include "pipeline/anchor_check.h"

#include <fmt/format.h>

#include "base/errors.h"
#include "pipeline/embed.h"
#include "store/anchor_file.h"

namespace quasar::pipeline {

void check_anchor_files(const RunConfig& config, const encoder::Encoder& encoder,
                        const comm::Communicator& comm) {
  comm.on_root([&] {
    const auto ours = encoder_identity(encoder, config.decode);
    for (const auto& source : config.anchors) {
      if (source.file.empty()) continue;
      const auto set = store::read_anchor_file(source.file);
      if (set.encoder == ours && set.dimension == static_cast<std::size_t>(encoder.dimension())) continue;
      base::fail(
          base::ExitCode::kMismatch,
          fmt::format("the anchor set \"{}\" in {} belongs to another encoder ({}; {} dimensions) than the "
                      "configuration's ({}; {} dimensions): scores between them would mean nothing. Rebuild "
                      "the anchors with this encoder, or configure the anchors'.",
                      source.name, source.file.string(), set.encoder.describe(), set.dimension,
                      ours.describe(), encoder.dimension()));
    }
  });
}

}  // namespace quasar::pipeline
