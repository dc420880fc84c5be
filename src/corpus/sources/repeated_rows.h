// Owns what becomes of rows of a table that name the same image: five captions of a picture are one image or
// five, never a reason to refuse the table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "corpus/corpus_config.h"
#include "corpus/item.h"
#include "corpus/sources/source.h"

namespace quasar::corpus {

/// How many rows the ids of a table have, known from a first look at all of them: eight bytes a row.
class IdCounts {
 public:
  void add(std::string_view id);
  /// Call once, after the last add().
  void finish();
  /// At least as many rows as the id has: different ids may share a hash.
  std::uint64_t rows_of(std::string_view id) const;
  /// Whether a row may have this id, which ends as numbered ones do; never false for one that has.
  bool has_numbered(std::string_view id) const;

 private:
  std::vector<std::uint64_t> hashes_;
  std::unordered_set<std::uint64_t>
      numbered_;  ///< Of ids of rows that look like what kRows gives: "a.jpg@2".
  std::unordered_map<std::uint64_t, std::uint64_t> repeated_;
};

/// Passes the items of rows on to a sink. Joined rows are one item, at the place of the last of them, so that
/// only images whose rows are still to come wait in memory. Rows with one id and different images go on as
/// they are, for the plan to refuse.
class RepeatedRows {
 public:
  /// All outlive it; `ids` has counted every row. `further`: what rows that go with kFirst are counted as.
  RepeatedRows(Repeated mode, const IdCounts& ids, ItemSink& sink, SourceCounts& counts,
               std::string further = "rows that name an image again (repeated: first)");

  void add(Item item);
  /// Call once, after the last add().
  void finish();

 private:
  struct Joined {
    Item item;
    std::vector<std::vector<std::string>> values;  ///< The different ones of each field.
    std::uint64_t rows = 0;
    std::uint64_t first_row = 0;
  };

  void join(Item item);
  void pass_on(Joined joined);

  const Repeated mode_;
  const IdCounts& ids_;
  ItemSink& sink_;
  SourceCounts& counts_;
  const std::string further_;
  std::uint64_t row_ = 0;
  std::unordered_map<std::string, Joined> waiting_;           // kJoin.
  std::unordered_map<std::string, std::string> first_;        // kFirst: image by id.
  std::unordered_map<std::string, std::uint64_t> rows_seen_;  // kRows.
};

}  // namespace quasar::corpus
