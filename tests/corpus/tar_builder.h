// Owns making of small tars for tests, right ones and wrong ones.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace quasar::corpus {

/// Appends members one after the other; text() is the archive so far, finish() adds its end.
class TarBuilder {
 public:
  /// A header block with a right checksum. `size_field` replaces the twelve bytes of the size.
  static std::string header(std::string_view name, std::uint64_t size, char type = '0',
                            std::string_view magic = {}, std::string_view size_field = {},
                            std::string_view prefix = {}) {
    std::string block(512, '\0');
    block.replace(0, std::min<std::size_t>(name.size(), 100), name.substr(0, 100));
    block.replace(100, 8, std::string_view("0000644\0", 8));
    char octal[16];
    std::snprintf(octal, sizeof octal, "%011llo", static_cast<unsigned long long>(size));
    block.replace(124, 12, octal, 12);
    if (!size_field.empty()) block.replace(124, size_field.size(), size_field);
    block[156] = type;
    block.replace(257, 8, magic.empty() ? std::string_view("ustar\00000", 8) : magic);
    block.replace(345, prefix.size(), prefix);
    seal(block);
    return block;
  }
  /// Writes the checksum of a header block into it.
  static void seal(std::string& block) {
    block.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum & 0777777U);
    block.replace(148, 6, text, 6);
    block[154] = '\0';
  }
  static std::string padded(std::string_view data) {
    std::string text(data);
    text.resize((text.size() + 511) / 512 * 512, '\0');
    return text;
  }
  static std::string pax_record(const std::string& key, const std::string& value) {
    const std::string rest = " " + key + "=" + value + "\n";
    std::size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length) ++length;
    return std::to_string(length) + rest;
  }

  TarBuilder& add(std::string_view name, std::string_view data, char type = '0') {
    text_ += header(name, data.size(), type) + padded(data);
    return *this;
  }
  /// A hard ('1') or symbolic ('2') link.
  TarBuilder& link(std::string_view name, std::string_view target, char type) {
    std::string block = header(name, 0, type);
    block.replace(157, std::min<std::size_t>(target.size(), 100), target.substr(0, 100));
    seal(block);
    text_ += block;
    return *this;
  }
  TarBuilder& raw(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  const std::string& text() const { return text_; }
  std::string finish() const { return text_ + std::string(1024, '\0'); }

 private:
  std::string text_;
};

}  // namespace quasar::corpus
