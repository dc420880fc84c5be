// Owns the perceptual hashes of files, without a run.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "image/pdq.h"

namespace quasar::pipeline {

struct HashedFile {
  base::RowStatus status = base::RowStatus::kOk;
  std::string error;                   ///< Empty when ok.
  std::vector<image::PdqHash> hashes;  ///< The picture's, or those of its eight poses.
};

/// Decodes each file at its own size, in `workers` processes of their own, hashes it and hands it to `take`
/// in the order of `files`. What is wrong with a file is in its status. Throws what `take` throws, and Error
/// where no worker can be started.
void hash_files(std::span<const std::filesystem::path> files, bool poses, int workers,
                const std::function<void(const std::filesystem::path&, const HashedFile&)>& take);

}  // namespace quasar::pipeline
