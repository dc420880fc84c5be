// The decoding worker of `quasar`: started by it, not by hand.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/version.h"
#include "sandbox.h"
#include "serve.h"

int main(int argc, char** argv) {
  using namespace quasar;
  const std::string_view argument = argc == 2 ? argv[1] : "";
  if (argument == "--version") {
    std::printf("quasar-decode %s\n", base::version().c_str());
    return 0;
  }
  if (argument == "--check-confinement") {
    if (!decode::confine()) {
      std::fprintf(stderr, "quasar-decode: this kernel has no filters of system calls\n");
      return 77;
    }
    return decode::check_confinement();
  }
  int parent = 0;
  const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), parent);
  if (argument.empty() || error != std::errc{} || end != argument.data() + argument.size()) {
    std::fprintf(stderr, "quasar-decode is started by quasar: it decodes pictures for it, apart from it\n");
    return 2;
  }
  decode::end_with_parent(parent);
  decode::settle_in();
  return decode::serve();
}
