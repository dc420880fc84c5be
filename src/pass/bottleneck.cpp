#include "pass/bottleneck.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/progress.h"

namespace quasar::pass {
namespace {

/// Seconds of threads, below which nothing is said.
constexpr double kLeastSeconds = 1;
/// A share of waiting that is worth changing something for.
constexpr double kBalanced = 0.1;

struct Shares {
  double decode = 0;         ///< All time of decode threads, seconds.
  double encode = 0;         ///< All time of encode threads, seconds.
  double decode_busy = 0;    ///< Of the decode threads' time: reading and decoding.
  double encode_busy = 0;    ///< Of the encode threads' time: uploading and encoding.
  double writer_waited = 0;  ///< Of the decode threads' time: waiting for the writer.
  double shard_waited = 0;   ///< Of the decode threads' time: waiting for a shard.
};

Shares shares_of(const ThreadTime& time) {
  Shares shares;
  const double decoders = at(time, Doing::kReading) + at(time, Doing::kDecoding);
  const double encoders = at(time, Doing::kUploading) + at(time, Doing::kEncoding);
  shares.decode = decoders + at(time, Doing::kAwaitingEncoder) + at(time, Doing::kAwaitingWriter) +
                  at(time, Doing::kAwaitingShard);
  shares.encode = encoders + at(time, Doing::kAwaitingPictures);
  if (shares.decode > 0) {
    shares.decode_busy = decoders / shares.decode;
    shares.writer_waited = at(time, Doing::kAwaitingWriter) / shares.decode;
    shares.shard_waited = at(time, Doing::kAwaitingShard) / shares.decode;
  }
  if (shares.encode > 0) shares.encode_busy = encoders / shares.encode;
  return shares;
}

std::string percent(double share) {
  return fmt::format("{:.0f}%", 100 * share);
}

std::string per_image(double seconds, double images) {
  return fmt::format("{:.1f} ms", 1e3 * seconds / std::max(1.0, images));
}

/// What bounds a job without GPU that is neither short of pictures nor of room to write.
std::string on_cores(const char* stage, const PassWork& work) {
  return fmt::format(
      "bound by {}, on the cores: a picture takes {} of one in the decoder and {} in the encoder. More cores "
      "or nodes speed "
      "it up in proportion",
      stage, per_image(at(work.time, Doing::kDecoding), work.images),
      per_image(at(work.time, Doing::kEncoding), work.images));
}

}  // namespace

std::optional<Bottleneck> find_bottleneck(const PassWork& work) {
  const auto& time = work.time;
  const auto shares = shares_of(time);
  if (shares.decode < kLeastSeconds || shares.encode < kLeastSeconds) return std::nullopt;
  // Whoever waits for the writer or for a shard keeps the encoder waiting, too.
  const double others = std::max(shares.writer_waited, shares.shard_waited);
  if (others > std::max(shares.decode_busy, shares.encode_busy)) {
    return shares.writer_waited >= shares.shard_waited ? Bottleneck{Stage::kWriting, shares.writer_waited, 0}
                                                       : Bottleneck{Stage::kShards, shares.shard_waited, 0};
  }
  const bool reads = at(time, Doing::kReading) > at(time, Doing::kDecoding);
  // Without a GPU both share the cores: what takes more of them is what bounds.
  const bool encodes = work.crew.gpu_ranks > 0 || reads
                           ? shares.encode_busy >= shares.decode_busy
                           : at(time, Doing::kEncoding) >= at(time, Doing::kDecoding);
  if (encodes) {
    const auto stage =
        at(time, Doing::kUploading) > at(time, Doing::kEncoding) ? Stage::kUploading : Stage::kEncoding;
    return Bottleneck{stage, at(time, Doing::kAwaitingEncoder) / shares.decode, 0};
  }
  Bottleneck found;
  found.stage = reads ? Stage::kReading : Stage::kDecoding;
  found.waited = 1 - shares.encode_busy;
  // An encoder that never waits takes 1 / encode_busy times as many pictures as it got, from threads that do
  // nothing else than make them.
  if (shares.encode_busy > 0 && work.crew.ranks > 0)
    found.threads_to_feed =
        std::ceil(work.crew.decode_threads / work.crew.ranks * shares.decode_busy / shares.encode_busy);
  return found;
}

std::string describe_bottleneck(const PassWork& work) {
  const auto found = find_bottleneck(work);
  if (!found) return {};
  const auto& time = work.time;
  const bool gpu = work.crew.gpu_ranks > 0;
  const double ranks = std::max(1.0, work.crew.ranks);
  const double threads = work.crew.decode_threads / ranks;
  const auto waited = percent(found->waited);
  switch (found->stage) {
    case Stage::kReading: {
      const double rate = work.bytes_read / std::max(at(time, Doing::kReading), 1e-9);
      return fmt::format(
          "bound by reading: encode threads waited {} of their time for pictures, and reading one takes {} "
          "({}/s for a "
          "thread). Storage nearer to the nodes, or tars instead of single files, would change that; so "
          "would more "
          "reads at once (embed.decode_threads, {:.0f} a rank now)",
          waited, per_image(at(time, Doing::kReading), work.images),
          base::human_bytes(static_cast<std::uint64_t>(rate)), threads);
    }
    case Stage::kDecoding: {
      const auto takes = per_image(at(time, Doing::kDecoding), work.images);
      if (gpu) {
        return fmt::format(
            "bound by decoding: the GPU waited {} of the time for pictures, and decoding one takes {}. More "
            "CPUs per "
            "GPU: {:.0f} would feed it ({:.0f} now); or decode.mode: fast",
            waited, takes, found->threads_to_feed, threads);
      }
      return on_cores("decoding", work) + "; so does decode.mode: fast for large JPEG";
    }
    case Stage::kUploading:
      return fmt::format(
          "bound by the upload to the GPU: decode threads waited {} of their time for it, {} a picture. A "
          "GPU on a "
          "faster bus, or one rank per GPU, would change that",
          waited, per_image(at(time, Doing::kUploading), work.images));
    case Stage::kEncoding: {
      const auto takes = per_image(at(time, Doing::kEncoding), work.images);
      if (gpu) {
        return fmt::format(
            "bound by encoding, as it should be: decode threads waited {} of their time for the GPU, {} a "
            "picture. More "
            "GPUs, or encoder.precision: bfloat16, speed it up{}",
            waited, takes,
            found->waited > kBalanced
                ? fmt::format("; {:.0f} CPUs per GPU would do ({:.0f} now)",
                              std::max(1.0, std::ceil(threads * (1 - found->waited))), threads)
                : std::string());
      }
      return on_cores("encoding", work) + "; a GPU or a smaller encoder does more";
    }
    case Stage::kWriting:
      return fmt::format(
          "bound by writing: decode threads waited {} of their time for shards to be written. RUN on faster "
          "storage "
          "would change that",
          waited);
    case Stage::kShards:
      return fmt::format(
          "bound by the hand-out of shards: decode threads waited {} of their time for one. Larger shards "
          "(corpus.shard_size) would change that, or fewer ranks",
          waited);
  }
  return {};
}

}  // namespace quasar::pass
