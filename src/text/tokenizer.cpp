#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/errors.h"
#include "text/prompt_cleaning.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace quasar::text {
namespace {

constexpr std::size_t kVocabularySize = 49408;
constexpr std::size_t kBytes = 256;
constexpr std::size_t kMerges = kVocabularySize - 2 * kBytes - 2;
constexpr std::size_t kLargestFile = std::size_t{64} << 20U;
constexpr std::string_view kWordEnd = "</w>";

/// The printable stand-in of each byte, as UTF-8, and the bytes in the order of their ids.
struct ByteAlphabet {
  std::array<std::string, kBytes> stand_in;
  std::array<unsigned char, kBytes> order{};
};

ByteAlphabet make_alphabet() {
  const auto printable = [](unsigned byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
  };
  ByteAlphabet alphabet;
  std::size_t next = 0;
  char32_t other = 0x100;
  for (const bool wanted : {true, false}) {
    for (unsigned byte = 0; byte < kBytes; ++byte) {
      if (printable(byte) != wanted) continue;
      append_utf8(alphabet.stand_in[byte], wanted ? static_cast<char32_t>(byte) : other++);
      alphabet.order[next++] = static_cast<unsigned char>(byte);
    }
  }
  return alphabet;
}

const ByteAlphabet& alphabet() {
  static const ByteAlphabet value = make_alphabet();
  return value;
}

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
  return (static_cast<std::uint64_t>(left) << 32U) | static_cast<std::uint64_t>(right);
}

/// The first two words of a line; empty views where there are fewer or more.
std::pair<std::string_view, std::string_view> split_merge(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) return {};
  return {line.substr(0, space), line.substr(space + 1)};
}

/// Length of a contraction ('s, 't, 're, 've, 'm, 'll, 'd) at a place; 0 where there is none.
std::size_t contraction_length(std::u32string_view text) {
  constexpr char32_t kLongS = 0x17F;  // Folds to s.
  if (text.size() < 2 || text[0] != U'\'') return 0;
  if (std::u32string_view(U"st").find(text[1]) != std::u32string_view::npos || text[1] == kLongS) return 2;
  if (text.size() > 2) {
    for (const std::u32string_view ending : {U"re", U"ve", U"ll"})
      if (text.substr(1, 2) == ending) return 3;
  }
  return text[1] == U'm' || text[1] == U'd' ? 2 : 0;
}

bool is_other(char32_t c) {
  return !is_space(c) && !is_letter(c) && !is_number(c);
}

/// Length of the word at the beginning of a text that does not begin with a space.
std::size_t word_length(std::u32string_view text) {
  if (const std::size_t length = contraction_length(text); length > 0) return length;
  if (is_number(text[0])) return 1;
  bool (*const belongs)(char32_t) = is_letter(text[0]) ? is_letter : is_other;
  const auto end = std::find_if_not(text.begin(), text.end(), belongs);
  return static_cast<std::size_t>(end - text.begin());
}

}  // namespace

Tokenizer::Tokenizer(const std::filesystem::path& vocabulary, SpecialTokens special)
    : start_(static_cast<std::int64_t>(kVocabularySize) - 2), special_(special) {
  const std::string text = read_text_file(vocabulary, kLargestFile);
  std::unordered_map<std::string, std::int64_t> ids;
  std::int64_t next = 0;
  for (const std::string_view ending : {std::string_view(), kWordEnd}) {
    for (const unsigned char byte : alphabet().order) {
      const std::int64_t id = next++;
      byte_ids_[ending.empty() ? 0 : 1][byte] = id;
      ids[alphabet().stand_in[byte] + std::string(ending)] = id;
    }
  }
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  std::size_t begin = std::min(text.find('\n'), text.size() - 1) + 1;  // The first line is a heading.
  while (begin < text.size() && merges.size() < kMerges) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const auto merge = split_merge(std::string_view(text).substr(begin, end - begin));
    if (merge.first.empty() || merge.second.empty())
      base::fail(base::ExitCode::kInput, vocabulary.string() + ": line " + std::to_string(merges.size() + 2) +
                                             " is no pair of symbols; this is not bpe_simple_vocab_16e6.txt");
    merges.push_back(merge);
    // Where two merges spell the same symbol the later id counts, as in the reference's dictionary.
    ids[std::string(merge.first) + std::string(merge.second)] = next++;
    begin = end + 1;
  }
  if (merges.size() < kMerges)
    base::fail(base::ExitCode::kInput, vocabulary.string() + ": has " + std::to_string(merges.size()) +
                                           " merges where CLIP's vocabulary has " + std::to_string(kMerges));
  for (auto& by_place : byte_ids_)
    for (std::size_t byte = 0; byte < kBytes; ++byte)
      by_place[byte] =
          ids.at(alphabet().stand_in[byte] + std::string(&by_place == &byte_ids_[0] ? "" : kWordEnd));
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto left = ids.find(std::string(merges[rank].first));
    const auto right = ids.find(std::string(merges[rank].second));
    // A symbol that nothing spells can never come up.
    if (left == ids.end() || right == ids.end()) continue;
    const std::int64_t merged = ids.at(left->first + right->first);
    merges_[pair_key(left->second, right->second)] = {static_cast<int>(rank), merged};
  }
}

std::vector<std::int64_t> Tokenizer::encode_word(std::string_view word) const {
  std::vector<std::int64_t> symbols;
  for (std::size_t i = 0; i < word.size(); ++i)
    symbols.push_back(byte_ids_[i + 1 == word.size() ? 1 : 0][static_cast<unsigned char>(word[i])]);
  while (symbols.size() > 1) {
    const Merge* best = nullptr;
    std::uint64_t best_key = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const std::uint64_t key = pair_key(symbols[i], symbols[i + 1]);
      const auto found = merges_.find(key);
      if (found == merges_.end() || (best != nullptr && found->second.rank >= best->rank)) continue;
      best = &found->second;
      best_key = key;
    }
    if (best == nullptr) break;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < symbols.size(); ++kept) {
      const bool merge = i + 1 < symbols.size() && pair_key(symbols[i], symbols[i + 1]) == best_key;
      symbols[kept] = merge ? best->symbol : symbols[i];
      i += merge ? 2 : 1;
    }
    symbols.resize(kept);
  }
  return symbols;
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view text) const {
  const bool openai = special_ == SpecialTokens::kOpenAi;
  const std::u32string_view start = openai ? U"<|startoftext|>" : U"<start_of_text>";
  const std::u32string_view end = openai ? U"<|endoftext|>" : U"<end_of_text>";
  const std::u32string cleaned = decode_utf8(clean_prompt(text));
  std::vector<std::int64_t> ids;
  for (std::u32string_view rest = cleaned; !rest.empty();) {
    if (is_space(rest[0])) {
      rest.remove_prefix(1);
    } else if (rest.substr(0, start.size()) == start) {
      ids.push_back(start_token());
      rest.remove_prefix(start.size());
    } else if (rest.substr(0, end.size()) == end) {
      ids.push_back(end_token());
      rest.remove_prefix(end.size());
    } else {
      const std::size_t length = word_length(rest);
      const std::vector<std::int64_t> word = encode_word(encode_utf8(rest.substr(0, length)));
      ids.insert(ids.end(), word.begin(), word.end());
      rest.remove_prefix(length);
    }
  }
  return ids;
}

std::vector<std::int64_t> Tokenizer::encode_padded(std::string_view text, int context) const {
  QUASAR_CHECK(context >= 2);
  const auto length = static_cast<std::size_t>(context);
  std::vector<std::int64_t> ids = encode(text);
  ids.insert(ids.begin(), start_token());
  ids.push_back(end_token());
  if (ids.size() > length) ids[length - 1] = end_token();
  ids.resize(length, 0);
  return ids;
}

}  // namespace quasar::text
