#include "anchors/chosen_rows.h"

#include <algorithm>

#include "base/errors.h"

namespace quasar::anchors {
namespace {

constexpr std::int64_t kNumbersAtOnce = std::int64_t{1} << 16U;
constexpr std::size_t kLongRun = 32;

}  // namespace

ChosenRows::ChosenRows(cluster::RowSource& source, std::span<const std::int64_t> chosen) : source_(source) {
  struct Choice {
    std::int64_t number;
    std::int64_t place;
  };
  std::vector<Choice> by_number(chosen.size());
  for (std::size_t i = 0; i < chosen.size(); ++i) by_number[i] = {chosen[i], static_cast<std::int64_t>(i)};
  std::ranges::sort(by_number, {}, &Choice::number);
  std::vector<std::int64_t> numbers;
  for (std::int64_t first = 0; first < source_.size(); first += kNumbersAtOnce) {
    const std::int64_t count = std::min(kNumbersAtOnce, source_.size() - first);
    numbers.resize(static_cast<std::size_t>(count));
    source_.read(first, count, {}, numbers);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t number = numbers[static_cast<std::size_t>(i)];
      const auto found = std::ranges::lower_bound(by_number, number, {}, &Choice::number);
      if (found != by_number.end() && found->number == number) rows_.push_back({first + i, found->place});
    }
  }
  rows_.shrink_to_fit();
}

void ChosenRows::read(std::int64_t first, std::int64_t count, std::span<float> values,
                      std::span<std::int64_t> numbers) {
  QUASAR_CHECK(first >= 0 && count >= 0 && first + count <= size());
  const auto rows =
      std::span(rows_).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  if (!values.empty()) read_values(rows, values);
  if (!numbers.empty()) std::ranges::transform(rows, numbers.begin(), &Row::place);
}

void ChosenRows::read_values(std::span<const Row> rows, std::span<float> values) {
  const std::size_t d = dimension();
  const auto window =
      static_cast<std::int64_t>(std::max<std::size_t>(1, kScratchBytes / (d * sizeof(float))));
  std::size_t done = 0;
  while (done < rows.size()) {
    const std::int64_t begin = rows[done].index;
    std::size_t end = done + 1;
    while (end < rows.size() && rows[end].index == rows[end - 1].index + 1) ++end;
    if (end - done >= kLongRun || end == rows.size()) {
      // Rows that follow each other go straight to where they are wanted.
      source_.read(begin, static_cast<std::int64_t>(end - done), values.subspan(done * d, (end - done) * d),
                   {});
      done = end;
      continue;
    }
    // Scattered ones are taken out of one stretch: a read of a row costs as much as one of its neighbours
    // too.
    while (end < rows.size() && rows[end].index < begin + window) ++end;
    const std::int64_t stretch = rows[end - 1].index - begin + 1;
    scratch_.resize(static_cast<std::size_t>(stretch) * d);
    source_.read(begin, stretch, scratch_, {});
    for (std::size_t i = done; i < end; ++i) {
      const auto from =
          scratch_.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(rows[i].index - begin) * d);
      std::copy_n(from, d, values.begin() + static_cast<std::ptrdiff_t>(i * d));
    }
    done = end;
  }
}

}  // namespace quasar::anchors
