// Internal to the module: the .json of an exported sample.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "exports/kept_rows.h"

namespace quasar::exports {

/// What the manifest says of a row: rank, id, hash, scores, reason and all that is not where it came from.
nlohmann::ordered_json row_object(const ManifestLine& line);

/// The sample's own .json with the row under a further key "quasar" at its end ("quasar_2" where that is
/// taken), otherwise byte for byte as it was; without one of its own, the fields of the corpus and the row.
/// Nothing when its own is no JSON object, as Python's json module has it.
std::optional<std::string> sample_json(const ManifestLine& line, const std::optional<std::string>& own);

}  // namespace quasar::exports
