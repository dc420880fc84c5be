// Owns what bounds a job that embeds: which stage the others wait for, by how much, and what would change it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pass/thread_time.h"

namespace quasar::pass {

/// What a job, or a rank of it, has to work with.
struct Crew {
  double ranks = 0;
  double decode_threads = 0;  ///< Over all ranks.
  double encode_threads = 0;  ///< Over all ranks.
  double gpu_ranks = 0;       ///< Ranks whose encoder is on a GPU.
};

/// What a pass has done so far.
struct PassWork {
  ThreadTime time{};
  Crew crew;
  double images = 0;
  double bytes_read = 0;
};

/// The stage that bounds a job.
enum class Stage : std::uint8_t { kReading, kDecoding, kUploading, kEncoding, kWriting, kShards };

struct Bottleneck {
  Stage stage = Stage::kEncoding;
  /// Of the time of the threads that it keeps waiting: how much they waited, 0 to 1.
  double waited = 0;
  /// Decode threads per rank that would keep the encoder busy; 0 where it is not they that are missing.
  double threads_to_feed = 0;
};

/// Nothing for work of less than a second of the threads of either kind, which tells nothing.
std::optional<Bottleneck> find_bottleneck(const PassWork& work);

/// One line: "bound by decoding: encode threads waited 61% of their time for pictures. More CPUs per GPU: 14
/// would feed it (6 now)". Empty where nothing can be told.
std::string describe_bottleneck(const PassWork& work);

}  // namespace quasar::pass
