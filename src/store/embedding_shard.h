// Owns RUN/embeddings/shard-NNNNNN.h5: the embeddings of a shard's images and, for each, where it came from
// and what became of it.
//
// Datasets, one entry per row: embedding [n, d] float32 or float16; id, error, hash, source, member, group
// (the reference), split, distortion, format, perceptual_hash, fields (UTF-8); status (enumeration over
// uint8); width, height, perceptual_quality (int32); bytes, offset (uint64); label, deviation (float64, NaN
// for none). Files of the first schema lack split, distortion and deviation, those of the second format,
// perceptual_hash and perceptual_quality. Attributes: schema_version, software_version, kind, the encoder's
// identity, plan_fingerprint (of the plan it was embedded under), shard, items_sha256, computed_on (lines),
// and content_xxh128 over the datasets.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/encoder_identity.h"
#include "base/status.h"
#include "distort/distortion_table.h"
#include "store/integrity.h"

namespace quasar::store {

struct RowRecord {
  std::string id;
  std::string source;        ///< File that held the bytes.
  std::string member;        ///< Member of a tar; empty for a plain file.
  std::uint64_t offset = 0;  ///< Of the bytes in `source`.
  std::uint64_t bytes = 0;
  std::string hash;  ///< xxh128 of the bytes; empty when they were not read.
  base::RowStatus status = base::RowStatus::kOk;
  std::string error;  ///< Empty when ok.
  int width = 0;      ///< Of the file's header; 0 when it was not read.
  int height = 0;
  double label = std::numeric_limits<double>::quiet_NaN();
  double deviation = std::numeric_limits<double>::quiet_NaN();  ///< Of the label; NaN for none.
  std::string reference;                          ///< Name of the reference picture; empty for none.
  std::string split;                              ///< "train", "test", ...; empty for none.
  std::optional<distort::Distortion> distortion;  ///< What the picture was degraded by after decoding.
  std::string format;                             ///< "jpeg", "png", ...; empty when not recorded.
  /// PDQ as 64 hexadecimal digits, or those of all eight poses one after the other; empty when not recorded.
  std::string perceptual_hash;
  int perceptual_quality = -1;  ///< 0 to 100; -1 when not recorded.
  std::string fields;           ///< JSON object passed through to the manifest; empty for none.
};

struct ShardHeader {
  base::EncoderIdentity encoder;
  std::string plan_fingerprint;  ///< Of the plan at that time, which may have been extended since.
  std::string items_sha256;      ///< Of the shard's items as the plan froze them: what ties the file to it.
  int shard = 0;
  int dimension = 0;
  bool half = false;  ///< Stored as float16.
  /// What the embeddings were computed on (encoder::Encoder::computed_on()), ascending; several where rows
  /// were computed at different times. Empty in files that do not say.
  std::vector<std::string> computed_on;
  std::string content_xxh128;  ///< Of all that is stored; set by the writer, whatever is given.
};

/// Writes a shard atomically and returns its content_xxh128. Embeddings [n, d]; rows of failed images hold
/// NaN. Throws Error(kOutput).
std::string write_embedding_shard(const std::filesystem::path& path, const ShardHeader& header,
                                  std::span<const RowRecord> rows, std::span<const float> embeddings);

/// Reads a shard. Thread-safe. Everything throws Error(kInput), naming the file, for damaged content.
class EmbeddingShardReader {
 public:
  explicit EmbeddingShardReader(const std::filesystem::path& path, Integrity integrity = Integrity::kChecked);
  ~EmbeddingShardReader();
  EmbeddingShardReader(EmbeddingShardReader&& other) noexcept;
  EmbeddingShardReader& operator=(EmbeddingShardReader&&) = delete;
  EmbeddingShardReader(const EmbeddingShardReader&) = delete;
  EmbeddingShardReader& operator=(const EmbeddingShardReader&) = delete;

  const ShardHeader& header() const;
  std::size_t size() const;
  /// Whether it was made from these items, with so many rows.
  bool is_of(const std::string& items_sha256, std::size_t rows) const;
  /// Rows first..first+count-1 into out [count, d]; not of a reader that was opened with Integrity::kRows.
  void read_embeddings(std::size_t first, std::size_t count, std::span<float> out) const;
  std::vector<RowRecord> read_rows(std::size_t first, std::size_t count) const;
  std::vector<base::RowStatus> read_statuses() const;
  std::vector<double> read_labels() const;
  /// Reads everything and compares it with the checksum of the content.
  bool has_its_content() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether `path` is a whole file made from these items, with so many rows: whatever its number and its plan
/// were then. A missing, cut or damaged file is not; one that is there and may not be read is an
/// Error(kInput).
bool is_whole_shard(const std::filesystem::path& path, const std::string& items_sha256, std::size_t rows,
                    Integrity integrity = Integrity::kChecked);

/// Reads everything anew and compares with the checksums of the file and of its content. Nothing for any
/// damage; throws Error(kInput) for a file that is there and may not be read.
std::optional<EmbeddingShardReader> open_verified_shard(const std::filesystem::path& path);
bool verify_shard(const std::filesystem::path& path);

}  // namespace quasar::store
