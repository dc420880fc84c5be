// Owns CLIP's byte-pair tokenizer (openai/CLIP `simple_tokenizer.py`, open_clip `tokenizer.py`): prompts,
// cleaned as the reference cleans them, to token ids.
//
// By hand, because the ids must be the reference's to the last one, and its cleaning with ftfy is half of
// that.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace quasar::text {

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

}  // namespace quasar::text
