// Owns the names of data in files: "FILE::DATASET", or a file alone.
#pragma once

#include <filesystem>
#include <string>

namespace quasar::base {

struct DatasetName {
  std::filesystem::path file;
  std::string dataset;  ///< Empty: not given.

  /// "FILE::DATASET" again, or the file alone.
  std::filesystem::path text() const;
};

/// The last "::" is the mark: names of files may hold one, those of datasets do not.
DatasetName parse_dataset_name(const std::string& text);

/// The name with its file found as resolve_input_file() does, which throws as that does.
DatasetName resolve_dataset_name(const std::string& text);

}  // namespace quasar::base
