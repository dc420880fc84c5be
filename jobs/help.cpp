#include "help.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace quasar::jobs {
namespace {

constexpr std::size_t kLine = 96;
constexpr std::size_t kMargin = 30;  ///< CLI11's default column of descriptions.

std::string indented(const std::string& text) {
  std::string result;
  for (const char c : text) {
    result += c;
    if (c == '\n') result += std::string(kMargin, ' ');
  }
  return result;
}

}  // namespace

std::string wrapped(const std::string& text, std::size_t width) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!result.empty()) result += '\n';
    std::size_t column = 0;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (column > 0 && column + 1 + word.size() > width) {
        result += '\n';
        column = 0;
      }
      if (column > 0) result += ' ';
      result += word;
      column += word.size() + (column > 0 ? 1 : 0);
    }
  }
  return result;
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  return wrapped(option->get_description(), kLine - kMargin);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return fmt::format("  {:{}}{}\n", command->get_name(), kMargin - 2,
                     indented(wrapped(command->get_description(), kLine - kMargin)));
}

std::string HelpFormatter::make_description(const CLI::App* command) const {
  return wrapped(command->get_description(), kLine) + "\n";
}

}  // namespace quasar::jobs
