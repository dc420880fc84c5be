#include "base/dataset_name.h"

#include <string_view>

#include "base/shipped_file.h"

namespace quasar::base {
namespace {

constexpr std::string_view kMark = "::";

}  // namespace

std::filesystem::path DatasetName::text() const {
  return dataset.empty() ? file : std::filesystem::path(file.string() + std::string(kMark) + dataset);
}

DatasetName parse_dataset_name(const std::string& text) {
  const auto mark = text.rfind(kMark);
  if (mark == std::string::npos) return {text, ""};
  return {text.substr(0, mark), text.substr(mark + kMark.size())};
}

DatasetName resolve_dataset_name(const std::string& text) {
  auto name = parse_dataset_name(text);
  name.file = resolve_input_file(name.file);
  return name;
}

}  // namespace quasar::base
