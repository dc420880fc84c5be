#include "encoder/unicode_normalization.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "encoder/unicode_composition.h"

namespace quasar::encoder {
namespace {

/// Below it every character is what form C makes of it.
constexpr char32_t kFirstAffected = 0x300;

// Hangul syllables are computed (Unicode Standard, chapter 3.12).
constexpr char32_t kSyllables = 0xAC00;
constexpr char32_t kLeads = 0x1100;
constexpr char32_t kVowels = 0x1161;
constexpr char32_t kTrailsBefore = 0x11A7;
constexpr char32_t kLeadCount = 19;
constexpr char32_t kVowelCount = 21;
constexpr char32_t kTrailCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kTrailCount;

std::uint64_t pair_key(char32_t first, char32_t second) {
  return (static_cast<std::uint64_t>(first) << 32U) | second;
}

struct Tables {
  std::unordered_map<char32_t, Decomposition> parts;
  std::unordered_map<std::uint64_t, char32_t> composites;
};

const Tables& tables() {
  static const Tables value = [] {
    Tables made;
    for (const Decomposition& entry : kComposites) {
      made.parts[entry.character] = entry;
      made.composites[pair_key(entry.first, entry.second)] = entry.character;
    }
    for (const Decomposition& entry : kDecomposedForGood) made.parts[entry.character] = entry;
    return made;
  }();
  return value;
}

int combining_class(char32_t character) {
  const auto after =
      std::upper_bound(kCombiningClasses.begin(), kCombiningClasses.end(), character,
                       [](char32_t c, const CombiningClass& range) { return c < range.first; });
  if (after == kCombiningClasses.begin() || character > std::prev(after)->last) return 0;
  return std::prev(after)->value;
}

void append_decomposed(std::u32string& text, char32_t character) {
  if (character >= kSyllables && character < kSyllables + kSyllableCount) {
    const char32_t index = character - kSyllables;
    text.push_back(kLeads + index / (kVowelCount * kTrailCount));
    text.push_back(kVowels + index / kTrailCount % kVowelCount);
    if (index % kTrailCount != 0) text.push_back(kTrailsBefore + index % kTrailCount);
    return;
  }
  const auto found = tables().parts.find(character);
  if (found == tables().parts.end()) {
    text.push_back(character);
    return;
  }
  append_decomposed(text, found->second.first);
  if (found->second.second != 0) append_decomposed(text, found->second.second);
}

/// What two characters compose to; 0 where they do not.
char32_t composite(char32_t first, char32_t second) {
  if (first >= kLeads && first < kLeads + kLeadCount && second >= kVowels && second < kVowels + kVowelCount)
    return kSyllables + ((first - kLeads) * kVowelCount + (second - kVowels)) * kTrailCount;
  if (first >= kSyllables && first < kSyllables + kSyllableCount && (first - kSyllables) % kTrailCount == 0 &&
      second > kTrailsBefore && second < kTrailsBefore + kTrailCount)
    return first + (second - kTrailsBefore);
  const auto found = tables().composites.find(pair_key(first, second));
  return found == tables().composites.end() ? 0 : found->second;
}

/// Brings the marks behind each base character into the order of their classes.
void order_marks(std::u32string& text) {
  for (auto begin = text.begin(); begin != text.end();) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end =
        std::find_if(begin, text.end(), [](char32_t character) { return combining_class(character) == 0; });
    std::stable_sort(begin, end,
                     [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

}  // namespace

std::u32string compose(std::u32string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char32_t character) { return character < kFirstAffected; }))
    return std::u32string(text);
  std::u32string decomposed;
  for (const char32_t character : text) append_decomposed(decomposed, character);
  order_marks(decomposed);
  std::u32string result;
  std::size_t base = std::u32string::npos;  // The last character of class 0 in the result.
  for (const char32_t character : decomposed) {
    const int rank = combining_class(character);
    const int before = result.empty() ? 0 : combining_class(result.back());
    // A mark composes with its base unless one of the same class, or another base, lies between.
    const bool reachable =
        base != std::u32string::npos && (base + 1 == result.size() || (before != 0 && before < rank));
    const char32_t together = reachable ? composite(result[base], character) : 0;
    if (together != 0) {
      result[base] = together;
      continue;
    }
    if (rank == 0) base = result.size();
    result.push_back(character);
  }
  return result;
}

}  // namespace quasar::encoder
