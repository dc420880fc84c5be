// Internal to the module: a sample as it will be, before its bytes are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "exports/export_config.h"
#include "exports/kept_rows.h"
#include "exports/sample_files.h"

namespace quasar::exports {

/// A file of a sample: the picture, one that is copied, or a text that is made here.
struct PlannedFile {
  enum class Kind { kPicture, kCopied, kText };
  Kind kind = Kind::kPicture;
  std::string extension;
  std::uint64_t size = 0;
  SampleFile from;   ///< Of a copied one.
  std::string text;  ///< Of a text.
};

struct PlannedSample {
  corpus::Item item;
  std::string hash;                ///< xxh128 of the picture.
  std::vector<PlannedFile> files;  ///< The picture first; no two with the same extension.
};

/// Plans a sample. What is to be known of it is counted in `notes`.
PlannedSample plan_sample(const ManifestLine& line, const ExportConfig& config, SampleFiles& files,
                          Notes& notes);

}  // namespace quasar::exports
