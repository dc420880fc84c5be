// A torch.save file from anywhere: the zip archive and the pickle inside are refused with an Error, or are
// sound: every entry lies in the file, every name of the pickle is an allowed one. Bytes that are no archive
// are read as a pickle.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/errors.h"
#include "checkpoint/pickle.h"
#include "checkpoint/zip_archive.h"

namespace {

namespace checkpoint = quasar::checkpoint;

/// Nodes may be shared and form cycles: a budget instead of a visited set.
void walk(const checkpoint::PickleNode& node, int depth, int& budget) {
  if (node.kind == checkpoint::PickleKind::kName && !checkpoint::pickle_name_allowed(node.text)) std::abort();
  if (depth == 0 || --budget < 0) return;
  for (const checkpoint::PickleNode* item : node.items) walk(*item, depth - 1, budget);
}

void read_pickle(std::span<const std::byte> bytes) {
  const checkpoint::Pickle pickle(bytes);
  int budget = 10000;
  walk(pickle.root(), 64, budget);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    if (!checkpoint::ZipArchive::looks_like_zip(file)) {
      read_pickle(file);
      return 0;
    }
    const checkpoint::ZipArchive archive(file);
    for (const auto& [name, entry] : archive.entries()) {
      if (entry.begin > size || entry.size > size - entry.begin) std::abort();
      if (entry.method == 0 && !entry.encrypted && name.ends_with(".pkl")) read_pickle(archive.read(name));
    }
  } catch (const quasar::base::Error& error) {
    if (error.code() != quasar::base::ExitCode::kInput) std::abort();
  }
  return 0;
}
