#include "pipeline/embed_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/activity.h"
#include "base/logging.h"
#include "base/progress.h"
#include "base/version.h"
#include "dataset/shard_encoder.h"
#include "encoder/make_encoder.h"
#include "pipeline/imported_encoder.h"
#include "pipeline/software_versions.h"
#include "store/software_record.h"

namespace quasar::pipeline {
namespace {

void warn_of_idle_ranks(const corpus::Plan& plan, const comm::Communicator& comm, const dataset::Part& part) {
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  const auto parts = static_cast<std::uint64_t>(part.count);
  const std::uint64_t shards = (plan.shards().size() + parts - 1) / parts;
  if (!comm.is_root() || shards >= ranks || plan.item_count() < ranks) return;
  // Several for each, as the last ones to finish would be waited for.
  constexpr std::uint64_t kShardsPerRank = 4;
  const std::uint64_t size = std::max<std::uint64_t>(1, plan.item_count() / (parts * ranks * kShardsPerRank));
  base::log_warning(
      "{} for {} leave some without work; in another run directory, corpus.shard_size: {} gives "
      "each a share",
      base::counted(shards, "shard"), base::counted(ranks, "rank"), size);
}

}  // namespace

std::unique_ptr<encoder::Encoder> open_encoder(const RunConfig& config, const comm::Communicator& comm) {
  const base::Phase phase("encoder");
  std::unique_ptr<encoder::Encoder> encoder;
  comm.together([&] {
    if (config.encoder.architecture == encoder::kImported) {
      encoder = std::make_unique<ImportedEncoder>(config.encoder);
    } else {
      encoder = encoder::make_encoder(config.encoder, comm.local_rank());
    }
  });
  if (comm.is_root()) {
    if (const auto blas = base::blas_info(); blas.reference) {
      base::log_warning(
          "this process runs on the reference BLAS ({}), some thirty times slower than OpenBLAS; on Debian: "
          "apt-get install libopenblas0-pthread",
          blas.description);
    }
    base::log_info("encoder {} ({}), {} dimensions, on {}", encoder->identity().architecture,
                   encoder->identity().dtype, encoder->dimension(), encoder->device());
    const std::string note = encoder->weights_note();
    if (!note.empty()) base::log_info("weights of the encoder: {}", note);
  }
  return encoder;
}

std::string embed_settings(const RunConfig& config, const encoder::Encoder& encoder, bool half, int hashes) {
  const auto made_by = dataset::encoder_identity(encoder, config.decode);
  auto settings = config.identity;
  // Pictures beside the corpus have none, whatever the corpus has.
  if (hashes == 0) settings.erase("embed.perceptual_hash");
  settings["embed.store"] = half ? "float16" : "float32";
  settings["encoder.weights_sha256"] = made_by.weights_sha256;
  settings["encoder.preprocessing"] = made_by.preprocessing;
  settings["encoder.dtype"] = made_by.dtype;
  return nlohmann::json(settings).dump(1);
}

dataset::EmbedStatistics embed_data_set(const RunConfig& config, const dataset::DataSet& set,
                                        encoder::Encoder& encoder, const EmbedOptions& options,
                                        const comm::Communicator& comm) {
  auto decode = config.decode;
  decode.perceptual_hashes = options.hashes;
  std::optional<dataset::SharedShards> shared;
  const auto* const imported = dynamic_cast<const ImportedEncoder*>(&encoder);
  // Shards are shared after their pictures were compared, which an import does not read.
  if (!config.shared.empty() && imported == nullptr)
    shared.emplace(config.shared, embed_settings(config, encoder, options.half, options.hashes));
  return dataset::embed({.set = set,
                         .encoder = encoder,
                         .decode = decode,
                         .threads = config.embed,
                         .batch_size = config.encoder.batch_size,
                         .memory = embed_memory(config, set.plan(), encoder, comm),
                         .half = options.half,
                         .vectors = imported != nullptr ? &imported->vectors() : nullptr,
                         .shared = shared ? &*shared : nullptr,
                         .what = options.what,
                         .part = options.part,
                         .retry = options.retry},
                        comm);
}

dataset::EmbedStatistics embed_step(const RunConfig& config, const dataset::DataSet& corpus,
                                    encoder::Encoder& encoder, const comm::Communicator& comm,
                                    dataset::Part part, std::optional<dataset::RetryFailed> retry) {
  warn_of_idle_ranks(corpus.plan(), comm, part);
  auto statistics = embed_data_set(config, corpus, encoder,
                                   {.what = "embed",
                                    .hashes = config.embed.perceptual_hashes,
                                    .half = config.half,
                                    .part = part,
                                    .retry = retry},
                                   comm);
  comm.on_root([&] {
    if (statistics.embedded_now > 0 || store::read_software(config.run).empty())
      store::write_software(config.run, software_versions());
  });
  if (comm.is_root()) {
    for (const auto& [status, count] : statistics.by_status) {
      base::log_info("{}: {}", base::status_name(status), base::with_thousands(count));
    }
  }
  return statistics;
}

}  // namespace quasar::pipeline
