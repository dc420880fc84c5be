// Internal to the module: owns what is told of rows that go as copies: the name of the row that each is like,
// and how many rows are like that one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "curation/row_messages.h"
#include "curation/row_states.h"
#include "curation/scratch_texts.h"

namespace quasar::curation {

class Originals {
 public:
  /// Of rows that are all kept or gone. `names`: of the rows here, by place. `file` goes with the object.
  /// Collective. Throws Error(kOutput) when the disk is full.
  Originals(const RowStates& rows, const ScratchTexts& names, const RowMessages& messages,
            const std::filesystem::path& file);

  /// Rows of the group of the row at that place, with the one kept where that is of no other set; 0 where the
  /// row is alone.
  std::uint64_t group(std::size_t place) const { return groups_.at(place); }
  /// What the next row here that goes is like, in the order of places; valid until the next call.
  std::string_view next_name() { return next_->next(); }
  /// Rows that go on the ranks before this one.
  std::uint64_t gone_before() const { return gone_before_; }

 private:
  void count_groups(const RowStates& rows, const RowMessages& messages);
  void take_names(const RowStates& rows, const ScratchTexts& names, const RowMessages& messages);
  void count_before(const comm::Communicator& comm);

  std::vector<std::uint64_t> groups_;
  std::optional<ScratchTexts> names_;
  std::optional<ScratchTexts::Cursor> next_;
  std::uint64_t gone_before_ = 0;
};

}  // namespace quasar::curation
