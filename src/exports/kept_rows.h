// Internal to the module: the kept rows of a run, as manifest.jsonl has them.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.h"
#include "corpus/item.h"
#include "curation/manifest_lines.h"
#include "curation/written_files.h"
#include "store/run_layout.h"

namespace quasar::exports {

/// Of rows whose manifest does not tell their place in the plan.
inline constexpr std::uint64_t kNoRow = UINT64_MAX;

/// Where the line of a kept row lies, and what decides on its shard.
struct KeptRow {
  std::uint64_t offset = 0;       ///< Of the line in manifest.jsonl.
  std::uint64_t bytes = 0;        ///< Of the picture.
  std::uint64_t row = kNoRow;     ///< In the plan.
  std::uint32_t length = 0;       ///< Of the line, without its end.
  std::array<char, 12> format{};  ///< "jpeg", "png", ...; empty when the run has not recorded it.
};

/// A row as its line says.
struct ManifestLine {
  corpus::Item item;  ///< Id and place.
  std::string hash;   ///< xxh128 of the picture.
  std::string format;
  nlohmann::ordered_json columns;  ///< All of them.
};

/// manifest.jsonl of a run, held open, so that a ranking which replaces it meanwhile changes nothing. Throws
/// Error(kInput) for a run that was not ranked, Error(kConfig) for one that was ranked without
/// manifest.jsonl, Error(kMismatch) when it is not the file that summary.json sums up.
class Manifest {
 public:
  explicit Manifest(const store::RunLayout& run);

  /// xxh128 of the file, as summary.json says.
  const std::string& xxh128() const { return summed_.xxh128; }

  /// The kept rows, or all, best first, on root; empty elsewhere. Every rank reads its share. Collective.
  /// Throws Error(kMismatch) for a line that is no row.
  std::vector<KeptRow> read_kept(const comm::Communicator& comm, bool with_dropped = false) const;
  /// Names of its columns, each with the value that its first row has; empty when there is no row.
  nlohmann::ordered_json first_row() const;
  /// The text of a line.
  std::string text(std::uint64_t offset, std::uint32_t length) const { return lines_.text(offset, length); }

  /// The row that a line states. Throws as read_kept().
  ManifestLine read(std::uint64_t offset, std::uint32_t length) const;

 private:
  std::vector<KeptRow> scan(std::uint64_t begin, std::uint64_t end, bool with_dropped) const;
  [[noreturn]] void fail_line(std::uint64_t offset, std::string_view why) const;

  curation::FileSum summed_;
  curation::ManifestLines lines_;
};

}  // namespace quasar::exports
