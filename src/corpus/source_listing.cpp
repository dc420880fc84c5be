#include "corpus/source_listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/errors.h"
#include "corpus/path_text.h"

namespace quasar::corpus {
namespace {

class DigestSink : public ItemSink {
 public:
  void add(Item item) override { ids_.add(item.id); }
  std::string state() { return ids_.state(); }

 private:
  IdDigest ids_;
};

}  // namespace

void IdDigest::add(std::string_view id) {
  ++count_;
  digest_.update(id);
  digest_.update(std::string_view("\0", 1));
}

std::string IdDigest::state() {
  return nlohmann::json({{"files", count_}, {"sha256", digest_.hex_digest()}}).dump();
}

void list_items(const SourceConfig& source, ItemSink& sink, LeftOut& left_out) {
  switch (source.kind) {
    case SourceKind::kDirectory:
      return list_directory(source, sink, left_out);
    case SourceKind::kList:
      return list_list(source, sink);
    case SourceKind::kTable:
      return list_table(source, sink);
    case SourceKind::kTar:
      return list_tars(source, sink, left_out);
    case SourceKind::kItems:
      break;
  }
  base::fail(base::ExitCode::kInternal, "a source of made items cannot be listed");
}

std::string source_state(const SourceConfig& source) {
  std::error_code error;
  if (source.kind == SourceKind::kItems) return "";
  if (source.kind != SourceKind::kTar && !std::filesystem::exists(source.path, error)) return "";
  if (source.kind == SourceKind::kDirectory) {
    DigestSink sink;
    LeftOut left_out;
    list_directory(source, sink, left_out);
    return sink.state();
  }
  if (source.kind != SourceKind::kTar) {
    return nlohmann::json({{"file", path_to_text(source.path)}, {"sha256", base::sha256_file(source.path)}})
        .dump();
  }
  auto tars = nlohmann::json::object();
  try {
    for (const auto& tar : expand_tars(source.patterns)) {
      const auto size = std::filesystem::file_size(tar.path, error);
      if (!error) tars[path_to_text(tar.path)] = size;
    }
  } catch (const base::Error&) {
    return "";
  }
  return nlohmann::json({{"tars", tars}}).dump();
}

std::string describe_change(const std::string& before, const std::string& now) {
  const auto old_state = nlohmann::json::parse(before, nullptr, false);
  const auto new_state = nlohmann::json::parse(now, nullptr, false);
  if (!old_state.is_object() || !new_state.is_object()) return "it is of another kind";
  if (new_state.contains("files")) {
    const auto count = [](const nlohmann::json& state) { return state.value("files", std::uint64_t{0}); };
    return count(old_state) == count(new_state)
               ? fmt::format("it holds as many images ({}) under other names", count(new_state))
               : fmt::format("it held {} images and now holds {}", count(old_state), count(new_state));
  }
  if (new_state.contains("file")) return "its content has changed";
  const auto old_tars = old_state.value("tars", nlohmann::json::object());
  for (const auto& [path, size] : new_state["tars"].items()) {
    if (!old_tars.contains(path)) return path + " is new";
    if (old_tars[path] != size)
      return fmt::format("{} had {} bytes and now has {}", path, old_tars[path].dump(), size.dump());
  }
  for (const auto& [path, size] : old_tars.items()) {
    if (!new_state["tars"].contains(path)) return path + " is gone";
  }
  return "it has changed";
}

bool has_suffix(std::string_view name, const std::vector<std::string>& suffixes) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::any_of(suffixes.begin(), suffixes.end(), [&](const std::string& suffix) {
    return name.size() > suffix.size() &&
           std::equal(suffix.begin(), suffix.end(), name.end() - static_cast<std::ptrdiff_t>(suffix.size()),
                      [&](char a, char b) { return a == lower(b); });
  });
}

std::optional<double> parse_label(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    throw std::invalid_argument("the label \"" + clean_text(text.substr(0, 80)) +
                                "\" is no finite number; leave it empty where there is none");
  }
  return value;
}

}  // namespace quasar::corpus
