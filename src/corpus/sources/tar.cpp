#include "corpus/sources/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/errors.h"
#include "base/logging.h"
#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"
#include "corpus/sources/tar_pattern.h"
#include "corpus/sources/tar_reader.h"

namespace quasar::corpus {
namespace {

/// What one tar holds.
struct TarIndex {
  std::vector<Item> items;
  LeftOut left_out;
  std::vector<std::string> warnings;
};

/// Longest .json, .txt or .cls believed.
constexpr std::size_t kMaxMetadata = std::size_t{16} << 20U;
/// Warnings written for one tar; the rest is only counted.
constexpr std::size_t kMaxWarnings = 5;
constexpr const char* kUnreadable = "unreadable descriptions (.json, .txt, .cls)";

/// WebDataset: members whose name is equal up to the first dot of the last part belong together.
std::pair<std::string_view, std::string_view> split_key(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::size_t dot = name.find('.', slash == std::string_view::npos ? 0 : slash + 1);
  if (dot == std::string_view::npos) return {name, ""};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

bool is_hidden(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  return begin < name.size() && name[begin] == '.';
}

/// What stands beside the images of one key.
struct Sample {
  std::optional<TarMember> json;
  std::optional<TarMember> text;
  std::optional<TarMember> label;
  bool has_image = false;
};

class TarIndexer {
 public:
  TarIndexer(const TarFile& tar, const SourceConfig& source)
      : tar_(tar),
        source_(source),
        wants_metadata_(!source.fields.empty() || !source.label_column.empty() ||
                        !source.deviation_column.empty() || !source.group_column.empty() ||
                        !source.split_column.empty()) {}

  TarIndex run() {
    auto input = open_tar(tar_.path);
    if (const auto compression = compression_of(*input); !compression.empty()) {
      const std::string tool = compression == "gzip"    ? "gunzip"
                               : compression == "bzip2" ? "bunzip2"
                                                        : "un" + compression;
      base::fail(base::ExitCode::kInput,
                 "the tar " + tar_.path.string() + " is compressed (" + compression +
                     "); images have no place of their own in it to be read from. Unpack it once: " + tool +
                     " -k " + tar_.path.string() + " (pictures hardly shrink a second time)");
    }
    TarReader reader(std::move(input));
    std::vector<TarMember> images;
    while (auto member = reader.next()) sort_in(*std::move(member), images);
    for (const auto& [key, sample] : samples_) {
      if (!sample.has_image) ++index_.left_out["samples without an image"];
    }
    for (auto& image : images) add_image(image, reader);
    for (const auto& damage : reader.damage()) {
      ++index_.left_out["damaged places in tars"];
      warn(fmt::format("{}, byte {}: {}", path_to_text(tar_.path), damage.offset, escaped_text(damage.what)));
    }
    return std::move(index_);
  }

 private:
  void warn(std::string text) {
    if (index_.warnings.size() < kMaxWarnings) index_.warnings.push_back(std::move(text));
  }

  void sort_in(TarMember member, std::vector<TarMember>& images) {
    if (is_hidden(member.name)) {
      ++index_.left_out["hidden files"];
      return;
    }
    const auto [key, extension] = split_key(member.name);
    if (has_suffix(member.name, source_.suffixes)) {
      samples_[std::string(key)].has_image = true;
      images.push_back(std::move(member));
    } else if (extension == "json") {
      samples_[std::string(key)].json = std::move(member);
    } else if (extension == "txt") {
      samples_[std::string(key)].text = std::move(member);
    } else if (extension == "cls") {
      samples_[std::string(key)].label = std::move(member);
    } else {
      ++index_.left_out["files without an image suffix"];
    }
  }

  void add_image(const TarMember& image, const TarReader& reader) {
    Item item;
    const std::string member = escaped_text(image.name);
    item.id = escaped_text(tar_.name) + "/" + member;
    // A name that comes again stands for another image.
    if (!names_.insert(member).second) item.id += "@" + std::to_string(image.offset);
    item.source = path_to_text(tar_.path);
    item.member = member;
    item.offset = image.offset;
    item.size = image.size;
    if (wants_metadata_) add_metadata(samples_[std::string(split_key(image.name).first)], reader, item);
    index_.items.push_back(std::move(item));
  }

  std::optional<std::string> text_of(const std::optional<TarMember>& member, const TarReader& reader) {
    if (!member) return std::nullopt;
    auto text = reader.read(*member, kMaxMetadata);
    if (!text) {
      ++index_.left_out[kUnreadable];
      warn(path_to_text(tar_.path) + ": " + escaped_text(member->name) + " cannot be read");
      return std::nullopt;
    }
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    return text;
  }

  void add_metadata(const Sample& sample, const TarReader& reader, Item& item) {
    nlohmann::json json;
    if (const auto text = text_of(sample.json, reader)) {
      json = nlohmann::json::parse(*text, nullptr, false);
      if (!json.is_object()) {
        ++index_.left_out[kUnreadable];
        warn(path_to_text(tar_.path) + ": " + escaped_text(sample.json->name) + " holds no JSON object");
      }
    }
    const auto value = [&](const std::string& name) -> std::optional<std::string> {
      if (json.is_object()) {
        const auto found = json.find(name);
        if (found != json.end() && !found->is_null()) {
          // Lone surrogates cannot come out of the parser, so dump() cannot fail on them.
          return found->is_string() ? found->get<std::string>() : found->dump();
        }
      }
      if (name == "txt" || name == "caption") return text_of(sample.text, reader);
      if (name == "cls") return text_of(sample.label, reader);
      return std::nullopt;
    };
    for (const auto& field : source_.fields)
      item.fields.emplace_back(field, escaped_text(value(field).value_or("")));
    if (!source_.group_column.empty())
      item.reference = escaped_text(value(source_.group_column).value_or(""));
    if (!source_.split_column.empty()) item.split = escaped_text(value(source_.split_column).value_or(""));
    const auto number = [&](const std::string& column, const char* what) -> std::optional<double> {
      if (column.empty()) return std::nullopt;
      try {
        return parse_number(value(column).value_or(""), what);
      } catch (const std::invalid_argument& error) {
        ++index_.left_out[kUnreadable];
        warn(path_to_text(tar_.path) + ": " + item.member + ": " + error.what());
        return std::nullopt;
      }
    };
    item.label = number(source_.label_column, "label");
    item.deviation = number(source_.deviation_column, "deviation");
  }

  const TarFile& tar_;
  const SourceConfig& source_;
  const bool wants_metadata_;
  TarIndex index_;
  std::unordered_map<std::string, Sample> samples_;
  std::unordered_set<std::string> names_;
};

/// Indexes many tars in threads and hands the indexes out in the order of the tars.
class TarListing {
 public:
  TarListing(const std::vector<TarFile>& tars, const SourceConfig& source)
      : tars_(tars), source_(source), results_(tars.size()) {
    // Mostly waiting for storage, so more threads than cores pay.
    const std::size_t threads = std::min<std::size_t>(
        tars.size(), std::max(4U, std::min(32U, 2 * std::thread::hardware_concurrency())));
    window_ = 2 * threads;
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~TarListing() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  TarListing(const TarListing&) = delete;
  TarListing& operator=(const TarListing&) = delete;

  /// Index of the next tar. Call once per tar.
  TarIndex take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return results_[taken_].done; });
    Result result = std::move(results_[taken_++]);
    lock.unlock();
    changed_.notify_all();
    if (result.error) std::rethrow_exception(result.error);
    return std::move(result.index);
  }

 private:
  struct Result {
    bool done = false;
    TarIndex index;
    std::exception_ptr error;
  };

  void work() {
    while (true) {
      std::unique_lock lock(mutex_);
      const std::size_t number = next_++;
      // Indexes wait in memory: threads must not run far ahead of the taker.
      changed_.wait(lock, [&] { return stopping_ || number < taken_ + window_; });
      if (stopping_ || number >= tars_.size()) return;
      lock.unlock();
      Result result;
      try {
        result.index = TarIndexer(tars_[number], source_).run();
      } catch (...) {
        result.error = std::current_exception();
      }
      result.done = true;
      lock.lock();
      results_[number] = std::move(result);
      lock.unlock();
      changed_.notify_all();
    }
  }

  const std::vector<TarFile>& tars_;
  const SourceConfig& source_;
  std::vector<Result> results_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;
  std::size_t taken_ = 0;
  std::size_t window_ = 1;
  bool stopping_ = false;
};

class Tars final : public Source {
 public:
  explicit Tars(SourceConfig source) : source_(std::move(source)) {}

  std::string list(ItemSink& sink, LeftOut& left_out) const override {
    const auto tars = expand_tars(source_.patterns);
    TarListing listing(tars, source_);
    for (std::size_t i = 0; i < tars.size(); ++i) {
      TarIndex index = listing.take();
      for (const auto& warning : index.warnings) base::log_warning("{}", warning);
      for (const auto& [reason, count] : index.left_out) left_out[reason] += count;
      sink.begin_group(index.items.size());
      for (auto& item : index.items) sink.add(std::move(item));
    }
    return state();
  }

  std::string state() const override {
    auto tars = nlohmann::json::object();
    try {
      std::error_code error;
      for (const auto& tar : expand_tars(source_.patterns)) {
        const auto size = std::filesystem::file_size(tar.path, error);
        if (!error) tars[path_to_text(tar.path)] = size;
      }
    } catch (const base::Error&) {
      return "";
    }
    return nlohmann::json({{"tars", tars}}).dump();
  }

  std::string describe_change(const std::string& before, const std::string& now) const override {
    const auto old_state = nlohmann::json::parse(before, nullptr, false);
    const auto new_state = nlohmann::json::parse(now, nullptr, false);
    if (!old_state.is_object() || !new_state.is_object()) return kOtherKind;
    const auto old_tars = old_state.value("tars", nlohmann::json::object());
    const auto new_tars = new_state.value("tars", nlohmann::json::object());
    for (const auto& [path, size] : new_tars.items()) {
      if (!old_tars.contains(path)) return path + " is new";
      if (old_tars[path] != size)
        return fmt::format("{} had {} bytes and now has {}", path, old_tars[path].dump(), size.dump());
    }
    for (const auto& [path, size] : old_tars.items()) {
      if (!new_tars.contains(path)) return path + " is gone";
    }
    return "it has changed";
  }

 private:
  SourceConfig source_;
};

void read(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
          SourceConfig& source) {
  for (const auto& element : place.elements()) {
    source.patterns.push_back(absolute_path(element.as<std::filesystem::path>()).native());
  }
  if (source.patterns.empty()) place.fail("at least one tar or pattern is needed");
  if (presence == SourcePresence::kRequired) {
    try {
      expand_tars(source.patterns);
    } catch (const base::Error& error) {
      place.fail(error.what());
    }
  }
  read_suffixes(node, source);
  read_columns(node, source);
}

}  // namespace

SourceType tar_type() {
  return {
      SourceKind::kTar, "tar", read,
      [](const SourceConfig& source) {
        return SourceText(source, "tar").patterns().name().columns().fields().suffixes().text();
      },
      [](const SourceConfig& source) -> std::unique_ptr<Source> { return std::make_unique<Tars>(source); }};
}

}  // namespace quasar::corpus
