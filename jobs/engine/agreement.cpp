#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "distort/distortion_table.h"
#include "engine/engine.h"
#include "pipeline/anchor_check.h"
#include "pipeline/anchor_step.h"
#include "pipeline/distortion_agreement.h"
#include "pipeline/embed_step.h"

namespace quasar::jobs {
namespace {

void print(const evaluation::DistortionAgreement& agreement, const AgreementOptions& options) {
  std::vector<int> seen;
  std::vector<int> unseen;
  fmt::print("SRCC of score and human score within a kind: over all photos, and within each photo (mean)\n");
  for (const auto& info : distort::distortion_table()) {
    const int kind = static_cast<int>(info.kind);
    const bool held_out =
        std::find(options.unseen.begin(), options.unseen.end(), info.name) != options.unseen.end();
    (held_out ? unseen : seen).push_back(kind);
    const auto at = static_cast<std::size_t>(kind);
    fmt::print("  {:24} {:6.3f} {:6.3f}{}\n", info.name, agreement.within_kind[at],
               agreement.within_photo[at], held_out ? "  unseen" : "");
  }
  const auto print_mean = [&agreement](const std::vector<int>& kinds, std::string_view which) {
    fmt::print("{:26} {:6.3f} {:6.3f}\n", fmt::format("mean over {} kinds{}", kinds.size(), which),
               agreement.mean_within_kind(kinds), agreement.mean_within_photo(kinds));
  };
  print_mean(seen, unseen.empty() ? "" : " seen");
  if (!unseen.empty()) print_mean(unseen, " unseen");
  fmt::print("cell SRCC, 125 cells       {:6.3f}\n", agreement.cell_srcc);
  fmt::print("pristine above its copy    {:6.3f} of all pairs with a copy that differs\n",
             agreement.pairs_pristine_above);
}

}  // namespace

void agreement(const AgreementOptions& options, const comm::Communicator& comm) {
  for (const auto& name : options.unseen) {
    const auto table = distort::distortion_table();
    if (std::none_of(table.begin(), table.end(), [&](const auto& info) { return info.name == name; })) {
      base::fail(base::ExitCode::kUsage, "--unseen: there is no distortion \"" + name + "\"");
    }
  }
  const auto config = load_config(options, comm);
  if (!options.anchors.empty() && std::none_of(config.anchors.begin(), config.anchors.end(),
                                               [&](const auto& s) { return s.name == options.anchors; }))
    base::fail(base::ExitCode::kUsage, "--anchors: the configuration has no set " + options.anchors);
  const auto encoder = pipeline::open_encoder(config, comm);
  // Before the sets that are to be built are embedded.
  pipeline::check_anchor_files(config, *encoder, comm);
  const auto sets = pipeline::anchor_step(config, encoder.get(), comm);
  const auto set = std::find_if(sets.begin(), sets.end(), [&](const auto& s) {
    return options.anchors.empty() || s.name == options.anchors;
  });
  if (set == sets.end()) base::fail(base::ExitCode::kUsage, "the configuration has no anchor set");
  const auto measured = pipeline::measure_agreement(config, options.job, *set, *encoder, comm);
  if (comm.is_root()) print(measured, options);
}

}  // namespace quasar::jobs
