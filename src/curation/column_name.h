// Owns what an anchor set may be named. The name becomes a column of the manifest, a dataset of the score
// files, and the names of a file and a folder below the run directory.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace quasar::curation {

/// Longest name of an anchor set, in bytes of UTF-8: file systems allow 255, which the ends of temporary
/// names have to fit in, too.
inline constexpr std::size_t kMaxNameBytes = 100;

/// What keeps `name` from being the name of an anchor set, as a sentence; empty when nothing does. Letters of
/// every script are allowed, and spaces; control characters, "/", a leading dot, the end ".h5" and the names
/// of the manifest's own columns are not.
std::string fault_of_name(const std::string& name);

/// The message for a key of the configuration that names a column which is not there: "there is no anchor set
/// 'qualty'; there are quality, and combined; did you mean 'quality'?".
std::string unknown_column(const std::string& name, const std::vector<std::string>& sets);

}  // namespace quasar::curation
