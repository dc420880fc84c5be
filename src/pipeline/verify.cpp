#include "pipeline/verify.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/random.h"
#include "corpus/shard_reader.h"
#include "curation/written_files.h"
#include "dataset/distorted_items.h"
#include "dataset/shard_encoder.h"
#include "pass/run_pass.h"
#include "pipeline/run_start.h"
#include "store/embedding_shard.h"
#include "store/half.h"
#include "store/score_shard.h"

namespace quasar::pipeline {
namespace {

/// `count` distinct numbers below `total`, ascending (Floyd's algorithm: memory for the sample alone).
std::set<std::uint64_t> sample_of(std::uint64_t total, std::uint64_t count, std::uint64_t seed) {
  base::Random random(seed);
  std::set<std::uint64_t> chosen;
  count = std::min(count, total);
  for (std::uint64_t last = total - count; last < total; ++last) {
    if (!chosen.insert(random.below(last + 1)).second) chosen.insert(last);
  }
  return chosen;
}

/// Recomputes rows of one shard.
class ShardVerifier {
 public:
  /// `decoders`: one worker, which nobody interrupts.
  ShardVerifier(const RunConfig& config, const VerifyJob& job, encoder::Encoder& encoder,
                decode::WorkerPool& decoders, const dataset::DataSet& corpus, const corpus::Shard& shard)
      : config_(config),
        job_(job),
        encoder_(encoder),
        decoders_(decoders),
        name_(fmt::format("shard {}", shard.id)),
        images_(corpus.plan().read_items(shard), static_cast<std::uint64_t>(config.decode.max_file_bytes)),
        stored_(corpus.open(shard)) {}

  void check(std::size_t row, VerifyResult& result) {
    const auto record = stored_.read_rows(row, 1).front();
    const auto fault = [&](const std::string& what) {
      result.faults.push_back(fmt::format("{}, row {}, {}: {}", name_, row, record.id, what));
    };
    ++result.rows;
    std::vector<std::byte> bytes;
    const auto outcome = images_.read(row, bytes);
    if (outcome.status != base::RowStatus::kOk) {
      fault(fmt::format("the image cannot be read any more ({})", outcome.error));
      return;
    }
    const auto hash = base::xxh128_hex(bytes);
    if (hash != record.hash) {
      fault(fmt::format("the image's bytes have changed: {} bytes with hash {}, not {} with {}", bytes.size(),
                        hash, record.bytes, record.hash));
      return;
    }
    const auto prepared = *decoders_.decode(0, dataset::picture_request(images_.item(row)), bytes);
    if (prepared.status != base::RowStatus::kOk) {
      fault(fmt::format("the image is not decoded any more ({})", prepared.error));
      return;
    }
    const auto now = encode(row, prepared.image);
    std::vector<float> then(now.size());
    stored_.read_embeddings(row, 1, then);
    const double difference = relative_difference(now, then);
    result.largest_difference = std::max(result.largest_difference, difference);
    if (!(difference <= job_.tolerance)) {
      fault(fmt::format("the embedding differs by {:.3g} of its norm, more than {:.3g}{}", difference,
                        job_.tolerance, other_kind()));
    }
  }

 private:
  /// What to make of a difference where the shard was computed on something else; empty where it was not.
  std::string other_kind() const {
    const auto& then = stored_.header().computed_on;
    const auto now = encoder_.computed_on();
    if (then.empty() || (then.size() == 1 && then.front() == now)) return "";
    return fmt::format("; it was computed on {}, and again on {}", fmt::join(then, " and "), now);
  }

  /// The picture's embedding, at the place and in the shape of batch that embedding it used, as stored.
  std::vector<float> encode(std::size_t row, const image::RgbImage& picture) {
    const auto dimension = static_cast<std::size_t>(encoder_.dimension());
    std::vector<float> embedding(dimension);
    if (!encoder_.input_spec().fixed_shape()) {
      encoder_.encode({1, picture.height, picture.width, picture.pixels}, embedding);
    } else {
      const auto batch = static_cast<std::size_t>(config_.encoder.batch_size);
      const std::size_t first = row / batch * batch;
      const std::size_t count = std::min(batch, images_.size() - first);
      std::vector<std::uint8_t> pixels(count * picture.pixels.size());
      const auto slot = static_cast<std::ptrdiff_t>((row - first) * picture.pixels.size());
      std::copy(picture.pixels.begin(), picture.pixels.end(), pixels.begin() + slot);
      std::vector<float> all(count * dimension);
      encoder_.encode({static_cast<int>(count), picture.height, picture.width, pixels}, all);
      std::copy_n(all.begin() + static_cast<std::ptrdiff_t>((row - first) * dimension), dimension,
                  embedding.begin());
    }
    if (stored_.header().half) {
      for (float& value : embedding) value = store::from_half(store::to_half(value));
    }
    return embedding;
  }

  static double relative_difference(std::span<const float> now, std::span<const float> then) {
    double difference = 0;
    double norm = 0;
    for (std::size_t i = 0; i < now.size(); ++i) {
      const double value = then[i];
      difference += (now[i] - value) * (now[i] - value);
      norm += value * value;
    }
    if (difference == 0) return 0;
    return std::sqrt(difference / norm);
  }

  const RunConfig& config_;
  const VerifyJob& job_;
  encoder::Encoder& encoder_;
  decode::WorkerPool& decoders_;
  std::string name_;
  corpus::ShardReader images_;
  store::EmbeddingShardReader stored_;
};

/// Reads a shard's scores through, if it has any.
void verify_scores(const RunConfig& config, int shard, const store::EmbeddingShardReader& embeddings,
                   VerifyResult& result) {
  const auto path = config.run.scores(shard);
  if (!std::filesystem::exists(path)) return;
  try {
    const auto scores = store::read_score_shard(path);
    if (scores.embeddings_xxh128 != embeddings.header().content_xxh128 ||
        scores.scores.size() != embeddings.size() * scores.names.size()) {
      result.faults.push_back(path.string() + " is not of the embeddings that are stored now");
    }
  } catch (const base::Error& error) {
    result.faults.emplace_back(error.what());
  }
}

/// Reads the shards through; how many rows of each that this rank got are ok.
void check_shards(const RunConfig& config, const dataset::DataSet& corpus,
                  const base::EncoderIdentity& identity, pass::ShardFeed& feed,
                  std::vector<std::int64_t>& ok_rows, VerifyResult& result) {
  while (const auto next = feed.next()) {
    const auto& shard = corpus.plan().shards()[*next];
    feed.add_done(1);
    const auto path = corpus.path(shard);
    if (!std::filesystem::exists(path)) {
      ++result.shards_missing;
      continue;
    }
    ++result.shards;
    if (!store::verify_shard(path)) {
      result.faults.push_back(path.string() + " is damaged: it does not have the checksums stored with it");
      continue;
    }
    if (!corpus.has(shard)) {
      result.faults.push_back(path.string() + " is not the shard of this plan");
      continue;
    }
    const auto reader = corpus.open(shard);
    dataset::check_shard_encoder(path, reader.header().encoder, identity);
    verify_scores(config, shard.id, reader, result);
    const auto statuses = reader.read_statuses();
    ok_rows[*next] = std::count(statuses.begin(), statuses.end(), base::RowStatus::kOk);
  }
}

/// A shard's rows of which the `chosen` are the places among all rows that are ok. `before`: rows that are ok
/// in the shards before it.
std::vector<std::size_t> chosen_rows(const dataset::DataSet& corpus, const corpus::Shard& shard,
                                     std::uint64_t before, const std::set<std::uint64_t>& chosen) {
  std::vector<std::size_t> rows;
  const auto statuses = corpus.open(shard).read_statuses();
  for (std::size_t row = 0; row < statuses.size(); ++row) {
    if (statuses[row] == base::RowStatus::kOk && chosen.count(before++) > 0) rows.push_back(row);
  }
  return rows;
}

/// Joins what the ranks found.
VerifyResult joined(const VerifyResult& mine, const comm::Communicator& comm) {
  VerifyResult all;
  std::vector<std::uint64_t> counts = {mine.shards, mine.shards_missing, mine.rows};
  comm.all_reduce(std::span(counts), comm::Reduction::kSum);
  all.shards = counts[0];
  all.shards_missing = counts[1];
  all.rows = counts[2];
  all.largest_difference = comm.all_reduce(mine.largest_difference, comm::Reduction::kMax);
  std::string text;
  for (const auto& fault : mine.faults) text += fault + '\0';
  for (const auto& part : comm.all_gather(text)) {
    for (std::size_t at = 0; at < part.size();) {
      const std::size_t end = part.find('\0', at);
      all.faults.push_back(part.substr(at, end - at));
      at = end + 1;
    }
  }
  std::sort(all.faults.begin(), all.faults.end());
  return all;
}

}  // namespace

VerifyResult verify(const RunConfig& config, const VerifyJob& job, encoder::Encoder& encoder,
                    const comm::Communicator& comm) {
  const auto corpus = load_run(config, comm);
  VerifyResult mine;
  std::vector<std::int64_t> ok_rows(corpus.plan().shards().size(), 0);
  const auto& shards = corpus.plan().shards();
  pass::run_pass({"verify", "shards", shards.size(), shards.size()}, comm, [&](pass::ShardFeed& feed) {
    check_shards(config, corpus, dataset::encoder_identity(encoder, config.decode), feed, ok_rows, mine);
  });
  comm.all_reduce(std::span(ok_rows), comm::Reduction::kSum);
  std::vector<std::uint64_t> before(1, 0);
  for (const auto count : ok_rows) before.push_back(before.back() + static_cast<std::uint64_t>(count));
  const auto chosen = sample_of(before.back(), job.sample, job.seed);
  std::vector<std::size_t> sampled;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (chosen.lower_bound(before[i]) != chosen.lower_bound(before[i + 1])) sampled.push_back(i);
  }
  pass::run_pass({"verify rows", "rows", sampled.size(), chosen.size()}, comm, [&](pass::ShardFeed& feed) {
    decode::WorkerPool decoders({.decode = config.decode, .spec = encoder.input_spec()});
    while (const auto next = feed.next()) {
      const auto place = sampled[*next];
      ShardVerifier verifier(config, job, encoder, decoders, corpus, shards[place]);
      for (const std::size_t row : chosen_rows(corpus, shards[place], before[place], chosen)) {
        verifier.check(row, mine);
        feed.add_done(1);
      }
    }
  });
  comm.on_root([&] {
    for (auto& fault : curation::check_written_files(config.run, curation::SumCheck::kAll))
      mine.faults.push_back(std::move(fault));
  });
  auto result = joined(mine, comm);
  if (result.shards == 0) {
    base::fail(base::ExitCode::kInput,
               config.run.root().string() + " holds no embeddings to verify: run \"quasar embed\" first");
  }
  return result;
}

}  // namespace quasar::pipeline
