// Owns RUN/identity.json: the settings that a run directory is tied to, as they change its embeddings.
#pragma once

#include <map>
#include <string>

#include "store/run_layout.h"

namespace quasar::store {

/// Value of every key that changes embeddings, by key.
using RunIdentity = std::map<std::string, std::string>;

/// Whether the run directory is tied to settings yet. Throws Error(kInput) where that cannot be seen.
bool has_identity(const RunLayout& run);

/// Ties the run directory to settings, atomically. Throws Error(kOutput).
void write_identity(const RunLayout& run, const RunIdentity& identity);

/// Throws Error(kMismatch), naming each key with both values, when the run directory is tied to other
/// settings than `wanted`; keys that this version does not know are passed over. Error(kInput) for a file
/// that is missing or damaged.
void check_identity(const RunLayout& run, const RunIdentity& wanted);

}  // namespace quasar::store
