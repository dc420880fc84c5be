// Owns the interface of image encoders: 8-bit pixels in, unnormalised embeddings out.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "base/encoder_identity.h"
#include "base/input_spec.h"

namespace quasar::encoder {

/// Pictures of one shape: pixels [count, height, width, 3], 8-bit sRGB.
struct ImageBatch {
  int count = 0;
  int height = 0;
  int width = 0;
  std::span<const std::uint8_t> pixels;
};

/// Memory that encoding takes beyond the weights, from above.
struct WorkingMemory {
  /// Bytes of this process, for each call that runs: on the CPU everything, on a GPU the page-locked buffer
  /// and the result. The pictures' own bytes and the embeddings are the caller's and not counted.
  std::uint64_t host = 0;
  /// Bytes of the GPU, for all calls together; 0 on the CPU.
  std::uint64_t device = 0;
};

/// A loaded encoder, complete after construction.
class Encoder {
 public:
  virtual ~Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  /// Length d of an embedding.
  virtual int dimension() const = 0;
  virtual const base::InputSpec& input_spec() const = 0;
  /// The caller adds the decode mode to `preprocessing`.
  virtual const base::EncoderIdentity& identity() const = 0;
  /// Device as LibTorch names it: "cpu", "cuda:0".
  virtual std::string device() const = 0;
  /// What the embeddings' bits are made on, in one line: where it differs, so may their last digits. On the
  /// CPU the processor and the instruction sets that the libraries use, and the parts that batches are cut
  /// into; on a GPU its model and, where its memory has not taken a whole batch, the largest part that it
  /// takes. Thread-safe.
  virtual std::string computed_on() const = 0;

  /// For the log, how the file of weights was read: whose names it had, what was left out. Often empty.
  virtual std::string weights_note() const { return {}; }

  /// Writes embeddings [count, d], float32, not normalised. On the CPU each call computes on one thread and
  /// calls from several threads run side by side, so that a result never depends on how many threads there
  /// are; on a GPU calls are serialised. A row's values depend on its own pixels, its place in the batch and
  /// the batch's shape only. Throws Error(kMismatch) for a shape the encoder does not take, Error(kDevice)
  /// when the device fails.
  virtual void encode(const ImageBatch& batch, std::span<float> embeddings) = 0;

  /// Time that calls of encode() have spent so far on bringing pixels to the device, summed over threads;
  /// none on the CPU. Thread-safe.
  virtual std::chrono::nanoseconds upload_time() const { return {}; }

  /// What encode() takes for `count` pictures of that shape in one call, by arithmetic alone; also for shapes
  /// that are too large to be encoded here.
  virtual WorkingMemory working_memory(int count, int height, int width) const = 0;
  /// Of `threads` threads that call encode() at once, how many hold the memory of a call; the others wait
  /// before they take any.
  virtual int calls_at_once(int threads) const = 0;

 protected:
  Encoder() = default;
};

}  // namespace quasar::encoder
