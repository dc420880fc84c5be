// Internal to the module: owns what ranks tell and ask each other about rows: a value goes to the rank that
// holds the row it is about.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/activity.h"
#include "comm/communicator.h"
#include "curation/row_owners.h"

namespace quasar::curation {

class RowMessages {
 public:
  /// Questions, or values, that a rank sends at once.
  static constexpr std::size_t kAtOnce = std::size_t{1} << 15U;

  /// Both outlive it.
  RowMessages(const RowOwners& owners, const comm::Communicator& comm) : owners_(owners), comm_(comm) {}

  /// Hands each rank the values that are its own: those for whose `row_of(value)`, a row's number, it has the
  /// row. Collective.
  template <typename T, typename RowOf, typename Take>
  void deliver(std::span<const T> values, const RowOf& row_of, const Take& take) const {
    std::vector<std::vector<T>> parts(ranks());
    for (const auto& value : values) parts[owners_.owner(row_of(value))].push_back(value);
    for (const auto& part : comm_.exchange(parts)) {
      for (const auto& value : part) take(value);
    }
  }

  /// For each of the rows `asked`, by number: `answer(place, answers)` adds what there is to say to the
  /// answers, on the rank that has the row; `take(question, answers, next)` takes it from there, moving
  /// `next` behind it, in the order of the questions. Collective.
  template <typename T, typename Answer, typename Take>
  void ask(std::span<const std::uint64_t> asked, const Answer& answer, const Take& take) const {
    std::size_t done = 0;
    while (comm_.all_reduce(static_cast<std::int64_t>(asked.size() - done), comm::Reduction::kMax) != 0) {
      const auto now = asked.subspan(done, std::min(kAtOnce, asked.size() - done));
      ask_at_once<T>(now, answer, [&](std::size_t i, const std::vector<T>& answers, std::size_t& next) {
        take(done + i, answers, next);
      });
      done += now.size();
      base::note_activity();
    }
  }

 private:
  std::size_t ranks() const { return static_cast<std::size_t>(comm_.size()); }

  template <typename T, typename Answer, typename Take>
  void ask_at_once(std::span<const std::uint64_t> asked, const Answer& answer, const Take& take) const {
    std::vector<std::vector<std::uint64_t>> questions(ranks());
    std::vector<std::size_t> to(asked.size());
    for (std::size_t i = 0; i < asked.size(); ++i) {
      to[i] = owners_.owner(asked[i]);
      questions[to[i]].push_back(asked[i]);
    }
    std::vector<std::vector<T>> answers(ranks());
    const auto received = comm_.exchange(questions);
    comm_.together([&] {
      for (std::size_t rank = 0; rank < ranks(); ++rank) {
        for (const auto number : received[rank]) answer(owners_.local(number), answers[rank]);
      }
    });
    const auto answered = comm_.exchange(answers);
    std::vector<std::size_t> next(ranks(), 0);
    comm_.together([&] {
      for (std::size_t i = 0; i < asked.size(); ++i) take(i, answered[to[i]], next[to[i]]);
    });
  }

  const RowOwners& owners_;
  const comm::Communicator& comm_;
};

}  // namespace quasar::curation
