#include "corpus/published_set.h"

#include <fmt/format.h>

#include "base/progress.h"

namespace quasar::corpus {

std::string to_text(LabelDirection direction) {
  return direction == LabelDirection::kUp ? "up" : "down";
}

std::string to_text(const PublishedSet& set) {
  std::string text = set.name + (set.split.empty() ? "" : ", " + set.split);
  text += fmt::format(": {} of {}, ", base::with_thousands(set.listed), base::with_thousands(set.published));
  text += set.missing == 0 ? "no picture missing" : base::counted(set.missing, "picture") + " missing";
  if (!set.label) return text + "; no labels";
  text += "; " + set.label->name;
  if (set.label->low && set.label->high)
    text += fmt::format(" from {} to {}", *set.label->low, *set.label->high);
  return text + (set.label->direction == LabelDirection::kUp ? ", higher is better" : ", lower is better");
}

}  // namespace quasar::corpus
