// Internal to the module: how values whose range nobody knows beforehand are spread among the rows that are
// kept and those that are dropped, in one pass and in memory that does not grow with them.
//
// Values are counted by the upper bits of an order-preserving code of the double, as many of these as leave
// at most kMostValues different ones. How many that are depends on the values alone, not on their order or on
// who counts them: counts of parts, merged, are those of the whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace quasar::curation {

/// Rows that are kept, and that are dropped.
struct KeptCount {
  std::uint64_t kept = 0;
  std::uint64_t dropped = 0;
  friend bool operator==(const KeptCount&, const KeptCount&) = default;
};

/// A histogram over bins of equal width, or equal ratio where logarithmic, from low to high.
struct KeptHistogram {
  double low = 0;
  double high = 0;
  bool logarithmic = false;
  std::vector<std::uint64_t> kept;
  std::vector<std::uint64_t> dropped;
};

class ValueCounts {
 public:
  static constexpr std::size_t kMostValues = 2048;

  /// Counts a value of at most 1e300, either sign.
  void add(double value, bool kept) { add_code(code_of(value), kept ? KeptCount{1, 0} : KeptCount{0, 1}); }
  void merge(const ValueCounts& other);

  /// Rows counted.
  std::uint64_t rows() const;
  /// The bins' edges are logarithmic where all values are positive and the largest is more than 30 times the
  /// smallest. Not of no values.
  KeptHistogram histogram(std::size_t bins) const;

  /// For the way between ranks: bits that are left off, then code, kept and dropped of each value.
  std::vector<std::uint64_t> packed() const;
  static ValueCounts unpacked(const std::vector<std::uint64_t>& numbers);

 private:
  static std::uint64_t code_of(double value);
  static double value_of(std::uint64_t code);
  void add_code(std::uint64_t code, const KeptCount& count);
  /// Leaves off so many bits.
  void coarsen(unsigned shift);

  unsigned shift_ = 0;
  std::map<std::uint64_t, KeptCount> counts_;  ///< By code without its lowest `shift_` bits.
};

}  // namespace quasar::curation
