#include "corpus/sources/source.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/errors.h"
#include "corpus/benchmarks/benchmark_source.h"
#include "corpus/sources/directory.h"
#include "corpus/sources/list.h"
#include "corpus/sources/stamps.h"
#include "corpus/sources/table.h"
#include "corpus/sources/tar.h"

namespace quasar::corpus {

SourceCounts& SourceCounts::operator+=(const SourceCounts& other) {
  for (const auto& [reason, count] : other.left_out) left_out[reason] += count;
  for (const auto& [reason, count] : other.noted) noted[reason] += count;
  return *this;
}

std::string Source::change_since(const std::string& before, SourceCheck check, std::int64_t written) const {
  const auto recorded = nlohmann::json::parse(before, nullptr, false);
  if (check == SourceCheck::kStamps && recorded.is_object() && bears_its_stamps(recorded, written)) return "";
  const std::string now = state();
  if (now.empty() || is_same_listing(recorded, nlohmann::json::parse(now))) return "";
  return describe_change(before, now);
}

std::span<const SourceType> source_types() {
  static const std::array<SourceType, 5> types = {directory_type(), list_type(), table_type(), tar_type(),
                                                  benchmark_type()};
  return types;
}

const SourceType& source_type(SourceKind kind) {
  const auto types = source_types();
  const auto found =
      std::find_if(types.begin(), types.end(), [&](const SourceType& type) { return type.kind == kind; });
  if (found == types.end())
    base::fail(base::ExitCode::kInternal, "a source of made items is none of a configuration");
  return *found;
}

std::unique_ptr<Source> make_source(const SourceConfig& source) {
  return source_type(source.kind).make(source);
}

}  // namespace quasar::corpus
