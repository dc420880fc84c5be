// Owns the choice of anchor rows from labels: which rows are good, which are bad.
//
// Everything here is a pure function of the labels and a seed, so that every rank comes to the same choice.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::anchors {

/// A name that is only ever compared: 128 bits of its hash, so that millions of rows are held on every rank
/// without their texts.
struct NameKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  NameKey() = default;
  NameKey(std::string_view name);
  NameKey(const char* name) : NameKey(std::string_view(name)) {}
  NameKey(const std::string& name) : NameKey(std::string_view(name)) {}

  /// Whether it is the key of the empty name.
  bool empty() const { return high == 0 && low == 0; }
  friend bool operator==(const NameKey&, const NameKey&) = default;
};

/// What a split needs to know of a row.
struct LabelledRow {
  std::int64_t number = 0;  ///< Global row number.
  double label = 0;         ///< Mean opinion score; used by no-reference splits.
  NameKey image;            ///< Name of the image.
  NameKey reference;        ///< Name of the pristine image this one was made from; empty for a pristine one.
  bool usable = true;       ///< False for a row that failed: it is left out of every split.
};

/// What to call a row in an error, by its global number.
using RowName = std::function<std::string(std::int64_t)>;
/// "row 7".
std::string plain_row_name(std::int64_t number);

/// Global row numbers of the good and the bad anchor rows.
struct AnchorSplit {
  std::vector<std::int64_t> good;
  std::vector<std::int64_t> bad;
  double median = 0;             ///< Of the labels (no-reference only).
  std::int64_t good_before = 0;  ///< Rows of each side before the ratio.
  std::int64_t bad_before = 0;
};

/// round(count * ratio), halves to even, as Python's round.
std::int64_t rounded_share(std::int64_t count, double ratio);

/// Full-reference data (KADIS-700k, PIPAL): pristine rows are good, the others bad. Keeps rounded_share of
/// the references, drawn by `seed`, and all rows made from those kept. Throws Error(kInput) when a side is
/// empty or a row names a reference that is not there; `name_of` tells it to the user.
AnchorSplit split_full_reference(std::span<const LabelledRow> rows, double ratio, std::uint64_t seed,
                                 const RowName& name_of = plain_row_name);

/// No-reference data (AVA): rows with a label above the median are good, the others bad. When several rows
/// have the same image name the last one's label counts for the median, as in the reference implementation.
/// With an `offset` in [0, 1), good rows sorted by label descending and bad ones ascending (stable) are cut
/// to the first n = |good| - floor(|good| * offset) of each. Then rounded_share of each side is kept, drawn
/// by `seed`. Throws Error(kInput) when a side is empty.
AnchorSplit split_no_reference(std::span<const LabelledRow> rows, std::optional<double> offset, double ratio,
                               std::uint64_t seed);

}  // namespace quasar::anchors
