// Owns the names under which the same weights are published and saved: by their authors, Hugging Face, timm
// and open_clip, behind the prefixes that tools of training put before them.
//
// For each family of encoders one naming is that which the networks here read; the others are maps to it, as
// data (weight_name_maps.h). A map renames, and where layouts differ it stacks, transposes or reshapes;
// nothing is computed.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "checkpoint/stored_tensor.h"

namespace quasar::checkpoint {

/// Families of encoders, and whose names their networks read.
enum class NameFamily {
  kClip,    ///< OpenAI's and open_clip's: "visual.conv1.weight"; ResNets, ViTs, CoCa, and their text towers.
  kDinoV2,  ///< facebookresearch/dinov2's.
  kDinoV3,  ///< facebookresearch/dinov3's.
  kSigLip,  ///< timm's, with the matrices of the attention pool in one.
};

/// Removes what wrappers of modules put into names, wherever it stands: "module." (DataParallel, DDP,
/// DeepSpeed),
/// "_orig_mod." (torch.compile), "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_forward_module.".
/// Throws Error(kInput) when two tensors then have one name.
StoredTensors unwrap_names(StoredTensors tensors);

struct NamedWeights {
  /// Under the names that the family's networks read; as they were where no naming is known.
  StoredTensors tensors;
  std::string naming;      ///< Whose names they had: "Hugging Face", "timm"; empty where none is known.
  bool own_names = false;  ///< They were the networks' own.
  std::string prefix;      ///< What stood before each of them: "teacher.backbone."; often empty.
  /// How many tensors are no part of the model, by what they belong to.
  std::map<std::string, std::size_t> left_out;
  std::string advice;  ///< Where no naming is known: what was found, and what is known. One line, or several.
};

/// Brings the tensors of a file (after unwrap_names) to the names of a family. Tensors of other modules
/// beside a prefix, and known parts that no network here needs, are left out and counted; names that no map
/// has are kept for whoever compares them with a network. Throws Error(kInput) that names the tensors: for
/// several models in one file, two tensors under one name, a part of a stack that is missing or of another
/// shape, and for a tensor that holds a NaN or an infinity.
NamedWeights rename_weights(const StoredTensors& tensors, NameFamily family);

}  // namespace quasar::checkpoint
