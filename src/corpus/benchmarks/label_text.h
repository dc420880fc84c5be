// Owns what the label files of published data sets have in common: lines of words, tables whose headers are
// padded, numbers, and names that say how a picture was distorted.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "corpus/benchmarks/benchmark.h"

namespace quasar::corpus {

std::string_view trimmed(std::string_view text);
/// What stands between blanks and tabs.
std::vector<std::string_view> words(std::string_view line);
/// The number that a text holds: nothing for an empty one, NaN for what is no finite number.
std::optional<double> number_of(std::string_view text);
/// "FILE:LINE".
std::string place_of(const std::filesystem::path& file, std::size_t line);
[[noreturn]] void fail_at(const std::string& place, const std::string& message);

/// Calls `take` with each line that is not blank, trimmed, and its number from 1. Throws Error(kInput) for a
/// file that cannot be read, or holds a NUL byte, as no text does.
void for_each_line(const std::filesystem::path& file,
                   const std::function<void(std::string_view line, std::size_t number)>& take);

/// A record of a table: its cells, trimmed, in the order of the columns that were asked for.
struct LabelRecord {
  std::vector<std::string> cells;
  std::string place;
};
/// Goes through a CSV whose columns are found by name, whatever their case and blanks around. Throws
/// Error(kInput) for a table that is not well-formed or lacks a column.
void for_each_record(const std::filesystem::path& file, const std::vector<std::string>& columns,
                     const std::function<void(const LabelRecord& record)>& take);
/// The same by position: the first `count` columns, whatever they are called.
void for_each_record(const std::filesystem::path& file, std::size_t count,
                     const std::function<void(const LabelRecord& record)>& take);
/// The places of `columns` in a header, by the same rule. Throws Error(kInput).
std::vector<std::size_t> places_of(const std::vector<std::string>& header,
                                   const std::vector<std::string>& columns, const std::string& place);

/// What a name such as I01_11_2.bmp says.
struct DistortedName {
  std::string reference;  ///< "I01".
  int kind = 0;
  int level = 0;
};
/// Throws Error(kInput) for a name that does not end in _KIND_LEVEL and a suffix.
DistortedName distorted_name(const std::string& name, const std::string& place);
/// Fields "kind" and "level".
std::vector<std::pair<std::string, std::string>> fields_of(const DistortedName& name);

/// A name without its last suffix.
std::string stem_of(const std::string& name);

}  // namespace quasar::corpus
