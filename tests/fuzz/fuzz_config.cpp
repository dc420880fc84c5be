// A configuration from anywhere: refused with Error(kConfig), or its dump() parses back to the same dump.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/config_node.h"
#include "base/errors.h"

namespace {

using quasar::base::ConfigNode;

void visit(const ConfigNode& node) {
  if (node.is_map()) {
    for (const auto& [key, value] : node.entries()) visit(value);
  } else if (node.is_sequence()) {
    for (const auto& element : node.elements()) visit(element);
  } else if (node.is_scalar()) {
    static_cast<void>(node.as<std::string>());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::string dump;
  try {
    const auto node = ConfigNode::parse_text(text, "fuzz.yaml");
    visit(node);
    node.finish();
    dump = node.dump();
  } catch (const quasar::base::Error& error) {
    if (error.code() != quasar::base::ExitCode::kConfig) std::abort();
    return 0;
  }
  // What was accepted once is accepted again: an exception from here on is a finding.
  if (ConfigNode::parse_text(dump, "dump.yaml").dump() != dump) std::abort();
  return 0;
}
