#include "decode/program.h"

#include "base/companion_program.h"

namespace quasar::decode {

std::filesystem::path default_program() {
  return base::companion_program("quasar-decode", "QUASAR_DECODE");
}

}  // namespace quasar::decode
