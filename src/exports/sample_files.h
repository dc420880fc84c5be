// Internal to the module: which other files belong to a picture. As WebDataset has it, those whose names are
// equal up to the first dot of their last part, in a tar as in a folder; other pictures among them are rows,
// and samples, of their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "corpus/corpus_config.h"
#include "corpus/item.h"

namespace quasar::exports {

/// Counts by what is to be known of an export besides its samples.
using Notes = std::map<std::string, std::uint64_t>;

/// A file of a sample beside its picture.
struct SampleFile {
  std::string extension;  ///< As WebDataset has it, in lower case: "json", "05.json".
  std::string plain;  ///< Without what the picture's own extension begins with: "json" of both for "05.jpg".
  std::filesystem::path file;  ///< That holds its bytes: itself, or the tar.
  std::uint64_t offset = 0;    ///< Of the bytes in it.
  std::uint64_t size = 0;
};

/// Finds them. What folders and tars hold is remembered, the latest as far as memory allows, as the rows of a
/// shard come tar by tar. Not thread-safe.
class SampleFiles {
 public:
  /// The sources say which names are pictures. `memory`: bytes for what is remembered.
  SampleFiles(const corpus::CorpusConfig& corpus, std::uint64_t memory);
  ~SampleFiles();
  SampleFiles(const SampleFiles&) = delete;
  SampleFiles& operator=(const SampleFiles&) = delete;

  /// The other files of the item's sample, by extension. A folder or tar that cannot be read has none: its
  /// picture tells what is wrong. Counts what is left aside.
  std::vector<SampleFile> find(const corpus::Item& item, Notes& notes);

 private:
  struct Listing;
  const Listing& listing(const std::filesystem::path& place, bool tar);
  std::shared_ptr<Listing> list_folder(const std::filesystem::path& folder) const;
  std::shared_ptr<Listing> list_tar(const std::filesystem::path& tar) const;
  bool is_picture(std::string_view name) const;

  std::vector<std::string> suffixes_;
  std::vector<std::string> image_extensions_;
  std::uint64_t memory_;
  std::uint64_t held_ = 0;
  std::list<std::pair<std::filesystem::path, std::shared_ptr<Listing>>> listings_;  // Latest first.
};

/// Name of the item's picture: its member's, or its file's.
std::string picture_name(const corpus::Item& item);

}  // namespace quasar::exports
