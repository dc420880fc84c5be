// Internal to the module: CLIP's byte-pair tokenizer (openai/CLIP `simple_tokenizer.py`, open_clip
// `tokenizer.py`).
//
// The reference cleans text with ftfy first. Of ftfy's repairs, those that are plain tables are done here:
// terminal escapes and control characters removed, curly quotes straightened, Latin ligatures and full-width
// forms spelt out, line breaks unified. Two are not: text decoded with a wrong encoding stays as it is, and
// decomposed letters are not composed. HTML entities are those of HTML 4.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace quasar::encoder {

/// How a text may spell the two special tokens literally.
enum class SpecialTokens {
  kOpenAi,    ///< <|startoftext|> and <|endoftext|>
  kOpenClip,  ///< <start_of_text> and <end_of_text>
};

class Tokenizer {
 public:
  /// Reads the published vocabulary bpe_simple_vocab_16e6.txt, gzip-compressed or plain. Throws Error(kInput)
  /// naming the file when it is missing, damaged or too short.
  explicit Tokenizer(const std::filesystem::path& vocabulary,
                     SpecialTokens special = SpecialTokens::kOpenClip);

  /// Ids of a text without the start and the end token.
  std::vector<std::int64_t> encode(std::string_view text) const;
  /// Start token, ids, end token, zeros up to `context`; a longer text is cut and still ends with the end
  /// token.
  std::vector<std::int64_t> encode_padded(std::string_view text, int context) const;

  std::int64_t start_token() const { return start_; }
  std::int64_t end_token() const { return start_ + 1; }

 private:
  struct Merge {
    int rank;             ///< Lower ones come first.
    std::int64_t symbol;  ///< What the two symbols become.
  };

  std::vector<std::int64_t> encode_word(std::string_view word) const;

  std::array<std::array<std::int64_t, 256>, 2> byte_ids_{};  ///< Of a byte inside a word, and at its end.
  std::unordered_map<std::uint64_t, Merge> merges_;          ///< By the two symbols' ids.
  std::int64_t start_ = 0;
  SpecialTokens special_;
};

/// The text as the tokenizer sees it: repaired, HTML entities resolved twice, white space collapsed, lower
/// case.
std::string clean_text(std::string_view text);

}  // namespace quasar::encoder
