// Internal to the module: what a pool and its worker say to each other. Small messages over a socket that
// keeps their bounds; bytes and pixels lie in two areas of shared memory. Both ends are of one build, which
// the first message checks, so that structures travel as their bytes.
//
//   pool                            worker
//   Start               ------->
//                       <-------    Ready
//   Request (bytes lie) ------->
//                       <-------    Need        only when it needs more than its standing share
//   Verdict             ------->
//                       <-------    Result      (pixels lie)
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/input_spec.h"
#include "image/decode_config.h"
#include "image/pdq.h"

namespace quasar::decode {

/// Descriptors that a worker finds open.
inline constexpr int kControlDescriptor = 3;
inline constexpr int kInputDescriptor = 4;
inline constexpr int kOutputDescriptor = 5;

/// Exit statuses of a worker.
inline constexpr int kExitOutOfMemory = 3;  ///< A library that cannot go on without memory.
inline constexpr int kExitBadStart = 4;     ///< The pool is of another build, or the sandbox failed.

enum class MessageKind : std::uint32_t { kStart = 1, kReady, kRequest, kNeed, kVerdict, kResult };

/// Text of bounded length; what is longer is cut.
template <std::size_t kCapacity>
struct Text {
  std::uint32_t length = 0;
  std::array<char, kCapacity> characters{};

  void set(std::string_view text) {
    length = static_cast<std::uint32_t>(std::min(text.size(), kCapacity));
    std::copy_n(text.data(), length, characters.data());
  }
  /// Whatever the length says, within the bounds.
  std::string_view view() const { return {characters.data(), std::min<std::size_t>(length, kCapacity)}; }
};

struct Start {
  MessageKind kind = MessageKind::kStart;
  std::uint32_t size = sizeof(Start);
  Text<32> version;  ///< base::version().
  image::DecodeConfig config;
  base::InputSpec spec;
  std::uint64_t standing = 0;     ///< Bytes that a picture may take without asking.
  std::uint64_t kept_output = 0;  ///< Bytes of pixels that have room without asking.
};

struct Ready {
  MessageKind kind = MessageKind::kReady;
  std::uint32_t filtered = 0;  ///< Whether the filter of system calls is installed.
};

struct Request {
  MessageKind kind = MessageKind::kRequest;
  std::int32_t distortion = 0;  ///< DistortionKind; 0 for none.
  std::int32_t level = 0;
  std::uint64_t seed = 0;
  std::uint64_t bytes = 0;  ///< Of the file, from the start of the input area.
  Text<255> id;
};

struct Need {
  MessageKind kind = MessageKind::kNeed;
  std::int32_t width = 0;
  std::int32_t height = 0;
  Text<8> format;
  std::uint64_t own = 0;     ///< Bytes of the worker's own memory.
  std::uint64_t output = 0;  ///< Bytes of pixels.
};

struct Verdict {
  MessageKind kind = MessageKind::kVerdict;
  std::uint32_t go = 0;
};

struct Result {
  MessageKind kind = MessageKind::kResult;
  std::uint32_t status = 0;  ///< base::RowStatus.
  std::int32_t width = 0;    ///< Of the file.
  std::int32_t height = 0;
  std::int32_t image_width = 0;  ///< Of the pixels in the output area; 0 unless ok.
  std::int32_t image_height = 0;
  std::uint32_t hash_count = 0;
  std::array<image::PdqHash, image::kPdqPoses> hashes{};
  Text<8> format;
  Text<1000> error;
};

template <typename Message>
inline constexpr bool kTravels = std::is_trivially_copyable_v<Message>;
static_assert(kTravels<Start> && kTravels<Request> && kTravels<Need> && kTravels<Verdict> &&
              kTravels<Result>);

}  // namespace quasar::decode
