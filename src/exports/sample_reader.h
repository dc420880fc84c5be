// Internal to the module: reading the files of planned samples, and seeing that they are those that were
// embedded.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "corpus/shard_reader.h"
#include "corpus/sources/tar_reader.h"
#include "exports/export_record.h"
#include "exports/sample_plan.h"

namespace quasar::exports {

/// Reads samples in the order in which they are given; not thread-safe.
class SampleReader {
 public:
  SampleReader(std::span<const PlannedSample* const> samples, std::uint64_t max_file_bytes);

  /// Reads the picture of sample `index`, of as many bytes as were planned, into `bytes`. Why it is left out:
  /// missing, unreadable, archive_corrupt, ...; "changed" when its xxh128 or size is not the row's.
  std::optional<LeftOut> read_picture(std::size_t index, std::span<std::byte> bytes) const;
  /// Reads a copied file of a sample; what it lacks makes the sample one that is left out.
  std::optional<LeftOut> read_copied(std::size_t index, const PlannedFile& file, std::uint64_t from,
                                     std::span<std::byte> bytes);

 private:
  std::vector<const PlannedSample*> samples_;
  corpus::ShardReader reader_;
  std::filesystem::path open_path_;
  std::unique_ptr<corpus::TarInput> open_;
};

}  // namespace quasar::exports
