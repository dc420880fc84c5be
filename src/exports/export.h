// Owns exports: what a ranked run keeps, written as training programs load it. The bytes depend on the
// manifest, the settings and the corpus alone, not on the number of ranks or on how often the work was
// stopped.
//
// An export is cut into shards, which ranks take one by one. Each appears whole, under its final name; then
// its record in FOLDER/.quasar says so, and a later start goes on with the others.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "corpus/corpus_config.h"
#include "exports/export_config.h"
#include "store/run_layout.h"

namespace quasar::exports {

/// What exports are made of.
struct ExportInput {
  store::RunLayout run;
  corpus::CorpusConfig corpus;                ///< Says which names are pictures.
  std::uint64_t max_file_bytes = 0;           ///< Pictures over this are not read.
  std::vector<std::filesystem::path> shards;  ///< Files of embeddings.
  std::vector<std::uint64_t> shard_first;     ///< Place of each one's first row in the plan.
};

/// Whether finished shards from which rows were left out are written again.
enum class RetryLeftOut { kNo, kYes };

struct ExportResult {
  std::uint64_t rows = 0;     ///< Kept ones.
  std::uint64_t samples = 0;  ///< Of them exported.
  std::uint64_t shards = 0;
  std::map<std::string, std::uint64_t> left_out;  ///< Kept rows that are not exported, by status.
  std::map<std::string, std::uint64_t> notes;     ///< What else is to be known, by kind.
  std::filesystem::path left_out_file;            ///< Names each of them.
};

/// Throws Error(kInput), saying what to install, when an export needs a library that is not there.
void check_export(const ExportConfig& config);

/// Writes an export, or goes on with it. Collective; the result is the same on every rank. A picture whose
/// bytes are gone or are not those that were embedded is left out, and counted. Throws Error(kMismatch) when
/// the folder holds another export, Error(kNoResult) when nothing is kept, Error(kOutput) when something
/// cannot be written, Error(kInterrupted) when a stop was asked for, and what Manifest throws.
ExportResult write_export(const ExportConfig& config, const ExportInput& input, RetryLeftOut retry,
                          const comm::Communicator& comm);

}  // namespace quasar::exports
