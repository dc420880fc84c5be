// Internal to the module: the tensors that an architecture needs, by name and shape, and the comparison of a
// checkpoint with them.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "encoder/checkpoint.h"

namespace quasar::encoder {

using Shape = std::vector<std::int64_t>;

/// A tensor of an architecture.
struct WeightShape {
  enum class Role {
    kParameter,          ///< Trained and needed.
    kBuffer,             ///< Needed, but not counted as a parameter: statistics of batch normalisation.
    kUnusedParameter,    ///< Counted and published, but not needed to embed.
    kOptionalParameter,  ///< Counted; some publishers leave it out because it is zero.
    kOptionalBuffer,     ///< Not counted, and not in every publisher's file.
  };
  std::string name;
  Shape shape;
  Role role = Role::kParameter;
};

using WeightShapes = std::vector<WeightShape>;

/// Number of trained values.
std::int64_t parameter_count(const WeightShapes& shapes);

/// "[64, 3, 7, 7]"
std::string to_text(const Shape& shape);

/// What of a checkpoint does not fit: one line per problem.
struct Misfit {
  std::vector<std::string> missing;
  std::vector<std::string> misshaped;
  std::vector<std::string> unexpected;

  std::size_t count() const { return missing.size() + misshaped.size() + unexpected.size(); }
  /// All of it, indented, one line each; of more than 2000 like problems the rest is counted.
  std::string describe() const;
};

/// Compares names and shapes. `ignored` tells which of the remaining names belong to other parts of the
/// model.
Misfit compare(const TensorMap& tensors, const WeightShapes& expected,
               const std::function<bool(const std::string&)>& ignored);

/// The tensor in float32, contiguous. The name must be there.
torch::Tensor take(const TensorMap& tensors, const std::string& name);

/// Length of a dimension, 0 where the tensor or the dimension is missing: for reading sizes off a checkpoint
/// that is compared as a whole afterwards.
std::int64_t dimension_of(const TensorMap& tensors, const std::string& name, std::size_t dimension);

/// Number of consecutive i from 0 for which `prefix` + i + `suffix` exists.
int count_layers(const TensorMap& tensors, const std::string& prefix, const std::string& suffix);

}  // namespace quasar::encoder
