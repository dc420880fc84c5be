#include "text/tokenizer.h"

#include <gmock/gmock.h>

#include <fstream>
#include <random>

#include "base/errors.h"
#include "support/golden_strings.h"
#include "support/safetensors_reader.h"
#include "support/test_data.h"
#include "text/html_entities.h"
#include "text/prompt_cleaning.h"
#include "text/unicode.h"

namespace quasar::text {
namespace {

std::filesystem::path vocabulary() {
  return test::encoder_golden_folder("vocab") / "bpe_simple_vocab_16e6.txt.gz";
}

void expect_ids(SpecialTokens special, int context, const std::string& name) {
  const std::vector<std::string> strings = test::golden_strings();
  const test::SafetensorsReader values(test::encoder_golden_folder("clip_text_tiny") / "io.safetensors");
  const std::vector<std::int64_t> all = values.values<std::int64_t>(name);
  const Tokenizer tokenizer(vocabulary(), special);
  ASSERT_EQ(strings.size(), 56U);
  for (std::size_t i = 0; i < strings.size(); ++i) {
    const std::vector<std::int64_t> ids = tokenizer.encode_padded(strings[i], context);
    ASSERT_GE(all.size(), (i + 1) * ids.size());
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * ids.size());
    const std::vector<std::int64_t> reference(begin, begin + context);
    EXPECT_EQ(ids, reference) << i << ": " << strings[i];
  }
}

TEST(Tokenizer, GivesOpenAisIds) {
  QUASAR_REQUIRE_DATA(vocabulary());
  expect_ids(SpecialTokens::kOpenAi, 77, "ids_openai");
}

TEST(Tokenizer, GivesOpenClipsIds) {
  QUASAR_REQUIRE_DATA(vocabulary());
  expect_ids(SpecialTokens::kOpenClip, 77, "ids_open_clip");
}

TEST(Tokenizer, GivesCocasIds) {
  QUASAR_REQUIRE_DATA(vocabulary());
  expect_ids(SpecialTokens::kOpenClip, 76, "ids_open_clip_ctx76");
}

TEST(Tokenizer, TakesAnyBytes) {
  QUASAR_REQUIRE_DATA(vocabulary());
  const Tokenizer tokenizer(vocabulary());
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string text(random() % 40, '\0');
    for (char& c : text)
      c = static_cast<char>(random() % 3 == 0 ? "&#;xl'<|"[random() % 8] : static_cast<int>(random() % 256));
    for (const std::int64_t id : tokenizer.encode_padded(text, 20)) {
      EXPECT_GE(id, 0);
      EXPECT_LT(id, 49408);
    }
  }
}

TEST(Tokenizer, RefusesWhatIsNoVocabulary) {
  const test::ScratchFolder folder;
  const auto write = [&](const std::string& content) {
    std::ofstream(folder / "v.txt", std::ios::binary) << content;
    return folder / "v.txt";
  };
  for (const std::string& content :
       {std::string(), std::string("heading"), std::string("heading\na b\n"), std::string("heading\na\n"),
        std::string("heading\na b c\n"), std::string("\x1f\x8b\x08\0broken", 10), std::string("\x1f\x8b", 2)})
    EXPECT_THROW(Tokenizer(write(content)), base::Error) << content;
  EXPECT_THROW(Tokenizer(folder / "missing.txt"), base::Error);
}

TEST(Tokenizer, RefusesACutVocabulary) {
  QUASAR_REQUIRE_DATA(vocabulary());
  const test::ScratchFolder folder;
  std::filesystem::copy_file(vocabulary(), folder / "v.gz");
  std::filesystem::permissions(folder / "v.gz", std::filesystem::perms::owner_all);
  std::filesystem::resize_file(folder / "v.gz", 700000);
  EXPECT_THROW(Tokenizer(folder / "v.gz"), base::Error);
}

TEST(CleanPrompt, ResolvesEntitiesTwice) {
  EXPECT_EQ(clean_prompt("&amp;amp; &lt;B&gt; &copy;2 &#x41;&#66; &notin &amp"),
            "& <b> \u00a92 ab \u00acin &");
  EXPECT_EQ(clean_prompt("&#0; &#xD800; &#1114112; &#128; &;&#; &#x;"),
            "\ufffd \ufffd \ufffd \u20ac &;&#; &#x;");
}

TEST(CleanPrompt, DoesThePlainRepairs) {
  EXPECT_EQ(clean_prompt("\u201cq\u201d \u2018s\u2019 \ufb01 \uff26\uff55 \uff76"), "\"q\" 's' fi fu \u30ab");
  EXPECT_EQ(clean_prompt("\ufeffa\x1b[31;1mb\x07"), "ab");
  EXPECT_EQ(clean_prompt(" a \t\r\n\u3000b\u00a0"), "a b");
}

/// What a program makes of UTF-8 that it takes for Windows-1252, where bytes without a meaning stay control
/// characters.
std::string misread(std::string_view text) {
  std::string result;
  for (const char byte : text) append_utf8(result, windows_1252(static_cast<unsigned char>(byte)));
  return result;
}

/// The same for Latin-1.
std::string misread_latin1(std::string_view text) {
  std::string result;
  for (const char byte : text) append_utf8(result, static_cast<unsigned char>(byte));
  return result;
}

/// Lower case, in normal form, without typographic quotes: what cleaning leaves as it is.
const std::vector<std::string> kSoundTexts = {
    "na\u00efve caf\u00e9",
    "\u00e0 bient\u00f4t, se\u00f1or m\u00fcller!",
    "smørrebrød på bornholm, 20 °c",
    "\u00bfqu\u00e9? \u00a1s\u00ed!",
    "stra\u00dfe f\u00fcr 5 \u20ac",
    "l'\u00e9t\u00e9 \u2014 c'est fini\u2026",
    "\u00ab l'\u0153uvre \u00bb, \u00a9 2019",
    "z\u00e1v\u011br p\u0159\u00edb\u011bhu",
    "\u03ba\u03b1\u03bb\u03ae \u03c6\u03c9\u03c4\u03bf\u03b3\u03c1\u03b1\u03c6\u03af\u03b1",
    "\u0445\u043e\u0440\u043e\u0448\u0435\u0435 \u0444\u043e\u0442\u043e",
    "\u0635\u0648\u0631\u0629 \u062c\u064a\u062f\u0629",
    "\u0905\u091a\u094d\u091b\u093e",
    "\u597d\u7167\u7247\u3002",
    "\uc88b\uc740 \uc0ac\uc9c4",
    "good photo \U0001F600",
};

TEST(CleanPrompt, LeavesSoundTextAlone) {
  for (const std::string& text : kSoundTexts) EXPECT_EQ(clean_prompt(text), text);
  // Next to each other these look like misread letters, and are none.
  for (const std::string& text :
       {std::string("voc\u00ea\u2026"), std::string("\u20ac\u00a05"), std::string("[x]\u00a0\u00a9"),
        std::string("4288\u00d7\u2026"), std::string("\u00f4\u00f4\u00f4 vida"),
        std::string("( o\u00ac\u00f4 )"), std::string("conclus\u00e3o"), std::string("5\u00d7\u00a335")})
    EXPECT_EQ(clean_prompt(text), [&] {
      std::string spaced = text;  // A no-break space is white space, too.
      if (const std::size_t at = spaced.find("\u00a0"); at != std::string::npos) spaced.replace(at, 2, " ");
      return spaced;
    }());
}

TEST(CleanPrompt, UndoesTheMisreadingOfUtf8) {
  for (const std::string& text : kSoundTexts) {
    EXPECT_EQ(clean_prompt(misread(text)), text);
    EXPECT_EQ(clean_prompt(misread_latin1(text)), text);
    EXPECT_EQ(clean_prompt(misread(misread(text))), text);
    EXPECT_EQ(clean_prompt(misread(misread_latin1(misread(text)))), text);
  }
}

TEST(CleanPrompt, UndoesWhatIsMisreadInPart) {
  const std::string misread_word = misread("d\u00e9j\u00e0-vu");
  EXPECT_EQ(clean_prompt(misread_word + " et d\u00e9j\u00e0-vu"), "d\u00e9j\u00e0-vu et d\u00e9j\u00e0-vu");
  EXPECT_EQ(clean_prompt("\u597d " + misread("it\u2019s fine")), "\u597d it's fine");
  EXPECT_EQ(clean_prompt("l\u2019" + misread("\u00e9cole") + " \u00e0 paris"), "l'\u00e9cole \u00e0 paris");
  // Each line by itself.
  EXPECT_EQ(clean_prompt(misread("f\u00eate") + "\nf\u00eate"), "f\u00eate f\u00eate");
  // Halves of characters that nothing completes stay, and what stands behind one: it may be a half, too.
  EXPECT_EQ(clean_prompt("\u00e2\u20ac"), "\u00e2\u20ac");
  EXPECT_EQ(clean_prompt("\u00e4\u00bc\u00c3\u00a9"), "\u00e4\u00bc\u00e3\u00a9");
}

TEST(CleanPrompt, ReadsControlCharactersAsWindowsDoes) {
  EXPECT_EQ(clean_prompt("\u0093quoted\u0094 \u0080 5\u0085"), "\"quoted\" \u20ac 5\u2026");
}

TEST(CleanPrompt, ComposesLetters) {
  EXPECT_EQ(clean_prompt("cafe\u0301 A\u030angstro\u0308m \u212b"), "caf\u00e9 \u00e5ngstr\u00f6m \u00e5");
  // Half-width Katakana with a voice mark of its own.
  EXPECT_EQ(clean_prompt("\uff76\uff9e"), "\u30ac");
}

TEST(Compose, FollowsTheStandard) {
  // Marks of other classes may stand between, in any order; one of the same class may not.
  EXPECT_EQ(compose(U"a\u0323\u0307"), U"\u1ea1\u0307");
  EXPECT_EQ(compose(U"a\u0307\u0323"), U"\u1ea1\u0307");
  EXPECT_EQ(compose(U"d\u0307\u0323\u0307"), U"\u1e0d\u0307\u0307");
  EXPECT_EQ(compose(U"a\u0305\u0301"), U"a\u0305\u0301");
  EXPECT_EQ(compose(U"\u1e9b\u0323"), U"\u1e9b\u0323");
  EXPECT_EQ(compose(U"o\u0302\u0301 \u1ed1"), U"\u1ed1 \u1ed1");
  // A mark at the beginning has no base, and a base in between ends its reach.
  EXPECT_EQ(compose(U"\u0301e"), U"\u0301e");
  EXPECT_EQ(compose(U"ex\u0301"), U"ex\u0301");
  // Single characters that are taken apart for good, and Unicode's exclusions.
  EXPECT_EQ(compose(U"\u2126 \u0958 \ufa0e \uf900"), U"\u03a9 \u0915\u093c \ufa0e \u8c48");
  // Hangul is computed.
  EXPECT_EQ(compose(U"\u1112\u1161\u11ab \u1100\u1161 \uac00\u11a8 \u11a8"), U"\ud55c \uac00 \uac01 \u11a8");
}

TEST(LowerCase, FollowsTheFullRules) {
  const auto lower = [](std::string_view text) { return encode_utf8(lower_case(decode_utf8(text))); };
  EXPECT_EQ(lower("\u03a3\u0391\u03a3 \u03a3 \u0391\u03a3. \u0391\u03a3\u0391"),
            "\u03c3\u03b1\u03c2 \u03c3 \u03b1\u03c2. \u03b1\u03c3\u03b1");
  EXPECT_EQ(lower("\u0130\u1e9e\u00c0\u0100\u0101\u2167\U00010400"),
            "i\u0307\u00df\u00e0\u0101\u0101\u2177\U00010428");
}

TEST(Unicode, InvalidUtf8BecomesReplacementCharacters) {
  for (const std::string& bad : {std::string("\xff"), std::string("\xc3"), std::string("\xc0\x80"),
                                 std::string("\xed\xa0\x80"), std::string("\xf5\x80\x80\x80")})
    EXPECT_EQ(decode_utf8(bad)[0], U'\ufffd');
  EXPECT_EQ(decode_utf8("\xf0\x9f\x98\x80"), U"\U0001F600");
}

}  // namespace
}  // namespace quasar::text
