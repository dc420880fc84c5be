// Internal to the module: the maps of names, as data.
#pragma once

#include <span>
#include <string_view>

#include "checkpoint/weight_names.h"

namespace quasar::checkpoint {

/// What happens to a tensor beside its renaming.
enum class Form {
  kAsIs,
  kTransposed,    ///< [a, b] becomes [b, a].
  kWithoutOnes,   ///< Leading dimensions of 1 are dropped.
  kWithOne,       ///< A leading dimension of 1 is added.
  kAfterZeroRow,  ///< [1, n, d] becomes [1, 1 + n, d] with zeros first.
  kZeros,         ///< Left out, and refused when it holds anything but zeros.
  kLeftOut,       ///< Not needed to embed.
};

/// In `from`, "#" stands for a number and "*" at the end for the rest of the name; in `to` for what they
/// stood for.
struct NameRule {
  std::string_view from;
  std::string_view to;
  Form form = Form::kAsIs;
  int part = 0;                  ///< Of the stack along the first dimension that makes up `to`.
  int parts = 1;                 ///< How many make it up.
  bool sparse = false;           ///< Parts that are missing are zeros, as large as the first one there.
  std::string_view beside = {};  ///< Unless empty, the rule holds only where there is this tensor, too.
  bool packed = false;           ///< The rule holds only where blocks.#.mlp.fc1 makes twice what fc2 takes.
};

/// One publisher's names of a family.
struct Naming {
  std::string_view whose;
  std::string_view anchor;    ///< A file in this naming has a tensor of this name,
  std::string_view also;      ///< and of this one beside it, unless empty.
  std::string_view optional;  ///< A prefix that some versions put before some names; removed.
  std::span<const NameRule> rules;
  bool own = false;  ///< The networks' own.
};

/// A family's namings, those with more demanding anchors first.
std::span<const Naming> namings_of(NameFamily family);
/// "CLIP"
std::string_view family_name(NameFamily family);

/// Words that may stand, with a dot behind each, before every name of a model.
std::span<const std::string_view> known_prefix_words();

}  // namespace quasar::checkpoint
