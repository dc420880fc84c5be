#include "corpus/sources/tar_pattern.h"

#include <glob.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/errors.h"

namespace quasar::corpus {
namespace {

constexpr std::size_t kMaxTars = 1'000'000;
constexpr std::string_view kWildcards = "*?[";

[[noreturn]] void fail_pattern(const std::string& pattern, const std::string& why) {
  base::fail(base::ExitCode::kInput, "the pattern \"" + pattern + "\" " + why);
}

/// Numbers "00..99" of a brace, as wide as they are written; empty when the text is no such range.
std::optional<std::vector<std::string>> numbers(std::string_view text, const std::string& pattern) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return std::nullopt;
  const std::string_view low_text = text.substr(0, dots);
  const std::string_view high_text = text.substr(dots + 2);
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  for (const auto& [part, value] : {std::pair(low_text, &low), std::pair(high_text, &high)}) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), *value);
    if (part.empty() || error != std::errc() || end != part.data() + part.size()) return std::nullopt;
  }
  if (low > high) fail_pattern(pattern, "counts downwards; write the smaller number first");
  if (high - low >= kMaxTars) fail_pattern(pattern, "stands for more than a million names");
  // As in the shell: a leading zero on either side asks for equal width.
  const bool padded =
      (low_text.size() > 1 && low_text[0] == '0') || (high_text.size() > 1 && high_text[0] == '0');
  const std::size_t width = padded ? std::max(low_text.size(), high_text.size()) : 0;
  std::vector<std::string> names;
  for (std::uint64_t value = low; value <= high; ++value) {
    std::string name = std::to_string(value);
    if (name.size() < width) name.insert(0, width - name.size(), '0');
    names.push_back(std::move(name));
  }
  return names;
}

/// Place of the brace that closes the one at `open`; npos when there is none.
std::size_t closing_brace(const std::string& text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return i;
  }
  return std::string::npos;
}

std::vector<std::string> alternatives(const std::string& inside, const std::string& pattern) {
  if (auto range = numbers(inside, pattern)) return *std::move(range);
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : inside) {
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  if (parts.size() < 2) fail_pattern(pattern, "has a brace that is neither {0..9} nor {a,b}");
  return parts;
}

/// Replaces the first brace until none is left. Iterative: patterns come from configuration files.
std::vector<std::string> expand_braces(const std::string& pattern) {
  std::vector<std::string> open = {pattern};
  std::vector<std::string> done;
  while (!open.empty()) {
    const std::string text = std::move(open.back());
    open.pop_back();
    const std::size_t begin = text.find('{');
    if (begin == std::string::npos) {
      done.push_back(text);
      continue;
    }
    const std::size_t end = closing_brace(text, begin);
    if (end == std::string::npos) fail_pattern(pattern, "has an open brace without its closing one");
    auto parts = alternatives(text.substr(begin + 1, end - begin - 1), pattern);
    // Reversed, since the last is taken first.
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      open.push_back(text.substr(0, begin) + *part + text.substr(end + 1));
    }
    if (open.size() + done.size() > kMaxTars) fail_pattern(pattern, "stands for more than a million names");
  }
  return done;
}

/// Length of the pattern's folders that hold neither brace nor wildcard, the last slash included.
std::size_t fixed_length(const std::string& pattern) {
  const std::size_t wild = std::min(pattern.find_first_of("{*?["), pattern.size());
  const std::size_t slash = pattern.rfind('/', wild == 0 ? 0 : wild - 1);
  return slash == std::string::npos ? 0 : slash + 1;
}

std::vector<std::string> matches(const std::string& name) {
  ::glob_t found{};
  std::vector<std::string> paths;
  if (::glob(name.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  ::globfree(&found);
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::vector<TarFile> expand_tars(const std::vector<std::string>& patterns) {
  std::vector<TarFile> tars;
  std::set<std::string> seen;
  for (const auto& pattern : patterns) {
    const std::size_t fixed = fixed_length(pattern);
    for (const auto& name : expand_braces(pattern)) {
      std::vector<std::string> paths = {name};
      std::error_code error;
      // A file may have a wildcard in its name.
      if (!std::filesystem::exists(name, error)) {
        if (name.find_first_of(kWildcards) == std::string::npos) {
          base::fail(base::ExitCode::kInput, "there is no tar " + name);
        }
        paths = matches(name);
        if (paths.empty()) fail_pattern(name, "matches no file");
      }
      for (auto& path : paths) {
        if (!seen.insert(path).second) continue;
        tars.push_back({path, path.substr(std::min(fixed, path.size()))});
        if (tars.size() > kMaxTars) fail_pattern(pattern, "stands for more than a million tars");
      }
    }
  }
  return tars;
}

}  // namespace quasar::corpus
