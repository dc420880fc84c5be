// Internal to the module: weights in the zip files that torch.save and torch.jit.save write.
//
// Such a file holds a pickle, data.pkl, that describes the tensors, and one stored entry per storage. The
// pickle is read as data (pickle.h); tensors are checked to lie inside their storages; no code of the archive
// is looked at.
//
// By hand, because the libraries that read these files run what the pickle says, or bring all of LibTorch.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "checkpoint/weights_file.h"

namespace quasar::checkpoint {

/// Whether the file begins as one of torch.save before version 1.6, which is no zip.
bool looks_like_legacy_torch(std::span<const std::byte> file);

/// Fills `tensors` and `container`. A torch.save file must hold a dict of tensors, at its root or under
/// "state_dict", "model", "teacher", "model_state_dict" or "module"; other values are ignored. Of a
/// TorchScript archive all tensors of the tree of modules are taken, under dotted names. Tensors are on the
/// CPU whatever device the file names. Contiguous tensors share `file`, which `owner` keeps alive; others are
/// copied. Throws Error(kInput).
void read_torch_zip(std::span<const std::byte> file, const std::shared_ptr<const void>& owner,
                    WeightsFile& weights);

}  // namespace quasar::checkpoint
