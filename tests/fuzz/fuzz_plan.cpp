// A plan.json and a line of items.jsonl from anywhere: refused with Error(kMismatch), or written back as they
// were understood.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/errors.h"
#include "corpus/plan_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace corpus = quasar::corpus;
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const auto state = corpus::Plan::State::from_json(text, "plan.json");
    if (corpus::Plan::State::from_json(state.to_json(), "plan.json").fingerprint != state.fingerprint) {
      std::abort();
    }
  } catch (const quasar::base::Error& error) {
    if (error.code() != quasar::base::ExitCode::kMismatch) std::abort();
  }
  std::string line;
  try {
    line = corpus::item_to_line(corpus::item_from_line(text));
  } catch (const quasar::base::Error& error) {
    if (error.code() != quasar::base::ExitCode::kMismatch) std::abort();
    return 0;
  }
  if (corpus::item_to_line(corpus::item_from_line(line)) != line) std::abort();
  return 0;
}
