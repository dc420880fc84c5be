#include "curation/originals.h"

#include <string>

#include "base/packer.h"
#include "base/unpacker.h"

namespace quasar::curation {

Originals::Originals(const RowStates& rows, const ScratchTexts& names, const RowMessages& messages,
                     const std::filesystem::path& file) {
  rows.comm().together([&] { names_.emplace(file); });
  count_groups(rows, messages);
  take_names(rows, names, messages);
  rows.comm().together([&] { names_->finish(); });
  count_before(rows.comm());
  next_.emplace(*names_, 0);
}

/// Of the rows that copies are like.
void Originals::count_groups(const RowStates& rows, const RowMessages& messages) {
  groups_.assign(rows.size(), 0);
  std::size_t at = 0;
  std::vector<std::uint64_t> originals;
  while (rows.comm().all_reduce(static_cast<std::int64_t>(rows.size() - at), comm::Reduction::kMax) != 0) {
    originals.clear();
    for (; at < rows.size() && originals.size() < RowMessages::kAtOnce; ++at) {
      if (rows[at].standing == Standing::kGone) originals.push_back(rows[at].other);
    }
    messages.deliver<std::uint64_t>(
        originals, [](std::uint64_t number) { return number; },
        [&](std::uint64_t number) { ++groups_[rows.owners().local(number)]; });
  }
  // A row of another set is no row of its group.
  for (std::size_t i = rows.outside_here(); i < groups_.size(); ++i) groups_[i] += groups_[i] != 0 ? 1 : 0;
}

/// Of copies, the names, and the groups, of what they are like.
void Originals::take_names(const RowStates& rows, const ScratchTexts& names, const RowMessages& messages) {
  std::vector<std::uint64_t> asked;
  std::vector<std::size_t> askers;
  for (std::size_t i = rows.outside_here(); i < rows.size(); ++i) {
    if (rows[i].standing != Standing::kGone) continue;
    asked.push_back(rows[i].other);
    askers.push_back(i);
  }
  // A text is answered as its group's size, its length, and its bytes.
  messages.ask<char>(
      asked,
      [&](std::size_t place, std::vector<char>& answers) {
        std::string packed;
        base::pack(groups_[place], packed);
        base::pack_text(names.at(place), packed);
        answers.insert(answers.end(), packed.begin(), packed.end());
      },
      [&](std::size_t question, const std::vector<char>& answers, std::size_t& next) {
        base::Unpacker unpacker(std::string_view(answers.data(), answers.size()).substr(next),
                                "a rank's answer");
        groups_[askers[question]] = unpacker.take<std::uint64_t>();
        const auto name = unpacker.take_text();
        names_->append(name);
        next += sizeof(std::uint64_t) + sizeof(std::uint32_t) + name.size();
      });
}

void Originals::count_before(const comm::Communicator& comm) {
  std::vector<std::uint64_t> gone(static_cast<std::size_t>(comm.size()), 0);
  gone[static_cast<std::size_t>(comm.rank())] = names_->size();
  comm.all_reduce(gone, comm::Reduction::kSum);
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(comm.rank()); ++rank) gone_before_ += gone[rank];
}

}  // namespace quasar::curation
