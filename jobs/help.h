// Owns the look of the help texts: lines that fit a terminal.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace quasar::jobs {

/// `text` broken at spaces into lines of at most `width` characters; its own line ends stay.
std::string wrapped(const std::string& text, std::size_t width);

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_description(const CLI::App* command) const override;
};

}  // namespace quasar::jobs
