// Owns which columns of scores anchor sets give: a score each, and on request what says something of it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "store/anchor_file.h"

namespace quasar::pipeline {

struct ScoreColumn {
  enum class Kind {
    kScore,
    kError,              ///< NAME_error: standard error by the set's draws.
    kOutOfDistribution,  ///< 1 where a set that tells finds the embedding unlike its anchors, else 0.
  };
  Kind kind = Kind::kScore;
  std::string name;
  std::string fingerprint;  ///< Equal ones give equal values.
  std::size_t set = 0;      ///< Of a score or an error.
};

/// The scores of all sets in their order, then what else they give. Throws Error(kConfig) when two columns
/// have one name.
std::vector<ScoreColumn> score_columns(const std::vector<store::AnchorSet>& sets);

}  // namespace quasar::pipeline
