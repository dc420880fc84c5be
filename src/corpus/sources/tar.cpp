#include "corpus/sources/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/errors.h"
#include "base/logging.h"
#include "corpus/path_text.h"
#include "corpus/sources/lenient_json.h"
#include "corpus/sources/source_text.h"
#include "corpus/sources/tar_links.h"
#include "corpus/sources/tar_pattern.h"
#include "corpus/sources/tar_reader.h"
#include "corpus/sources/tar_samples.h"

namespace quasar::corpus {
namespace {

/// What one tar holds.
struct TarIndex {
  std::vector<Item> items;
  SourceCounts counts;
  std::vector<std::string> warnings;
};

/// Longest .json, .txt or .cls believed.
constexpr std::size_t kMaxMetadata = std::size_t{16} << 20U;
/// Warnings written for one tar; the rest is only counted.
constexpr std::size_t kMaxWarnings = 5;
constexpr const char* kUnreadable = "unreadable descriptions (.json, .txt, .cls)";

class TarIndexer {
 public:
  TarIndexer(const TarFile& tar, const SourceConfig& source)
      : tar_(tar),
        source_(source),
        wants_metadata_(!source.fields.empty() || !source.label_column.empty() ||
                        !source.deviation_column.empty() || !source.group_column.empty() ||
                        !source.split_column.empty()),
        descriptions_{"json", "txt", "cls"} {
    for (const auto& extension : source.caption_extensions) descriptions_.insert(extension);
    for (const auto& column : source.fields) descriptions_.insert(lower_case(column));
    for (const auto* column :
         {&source.label_column, &source.deviation_column, &source.group_column, &source.split_column})
      if (!column->empty()) descriptions_.insert(lower_case(*column));
  }

  TarIndex run() {
    auto input = open_tar(tar_.path);
    refuse_compressed(*input);
    if (const auto what = no_tar(*input); what != NoTar::kMaybeTar) {
      ++index_.counts.left_out[std::string(describe(what).reason)];
      warn(path_to_text(tar_.path) + " is left out: " + std::string(describe(what).advice));
      return std::move(index_);
    }
    TarReader reader(std::move(input));
    std::size_t found = 0;
    for (; auto member = reader.next(); ++found) take(*std::move(member));
    if (found == 0 && is_nothing(reader)) return std::move(index_);
    group();
    add_images(reader);
    for (const auto& damage : reader.damage()) {
      ++left_out("damaged places in tars");
      warn(fmt::format("{}, byte {}: {}", path_to_text(tar_.path), damage.offset, escaped_text(damage.what)));
    }
    if (index_.items.empty() && index_.counts.left_out.empty()) ++left_out("tars without an image");
    return std::move(index_);
  }

 private:
  /// A member that a sample is made of, and where its bytes lie.
  struct Part {
    TarMember member;
    std::uint64_t place = 0;  ///< As no other member's, also of a link.
    std::size_t sample = 0;   ///< Of an image.
    bool is_image = false;
  };

  std::uint64_t& left_out(const char* reason) { return index_.counts.left_out[reason]; }

  void warn(std::string text) {
    if (index_.warnings.size() < kMaxWarnings) index_.warnings.push_back(std::move(text));
  }

  void refuse_compressed(const TarInput& input) const {
    const auto compression = compression_of(input);
    if (compression.empty()) return;
    const std::string tool = compression == "gzip"    ? "gunzip"
                             : compression == "bzip2" ? "bunzip2"
                                                      : "un" + compression;
    base::fail(base::ExitCode::kInput,
               "the tar " + tar_.path.string() + " is compressed (" + compression +
                   "); images have no place of their own in it to be read from. Unpack it once: " + tool +
                   " -k " + tar_.path.string() + " (pictures hardly shrink a second time)");
  }

  /// Whether a file without any member is no tar that somebody could read, which is counted.
  bool is_nothing(const TarReader& reader) {
    if (only_zeros(*open_tar(tar_.path))) {
      ++left_out("tars that hold nothing (only zeros)");
      warn(path_to_text(tar_.path) + " holds nothing: all its bytes are zeros");
      return true;
    }
    if (reader.damage().empty()) return false;
    ++left_out("files that are no tars: unknown");
    warn(path_to_text(tar_.path) + " is no tar: no member's header is in it");
    return true;
  }

  bool is_image(std::string_view name) const {
    if (source_.image_extensions.empty()) return has_suffix(name, source_.suffixes);
    return has_extension(sample_name(name).extension, source_.image_extensions);
  }

  static bool has_extension(const std::string& extension, const std::vector<std::string>& extensions) {
    return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
  }

  /// Whether a member, by its name, describes the images of its sample.
  bool is_description(std::string_view name) const {
    const std::string extension = sample_name(name).extension;
    for (std::size_t from = 0; from < extension.size();) {
      if (descriptions_.contains(extension.substr(from))) return true;
      from = std::min(extension.find('.', from), extension.size() - 1) + 1;
    }
    return false;
  }

  void take(TarMember member) {
    if (is_hidden(member.name)) {
      ++left_out("hidden files");
      return;
    }
    const bool image = is_image(member.name);
    if (!image && !is_description(member.name)) {
      ++left_out(has_suffix(member.name, source_.suffixes) ? "images with other extensions"
                                                           : "files without an image suffix");
      return;
    }
    const std::uint64_t place = member.offset;
    if (member.kind == TarMemberKind::kHardLink || member.kind == TarMemberKind::kSymbolicLink) {
      if (!links_) links_ = std::make_unique<LinkResolver>(tar_.path);
      const TarMember* target = links_->resolve(member);
      if (target == nullptr) {
        ++left_out("links in tars to what is not in them");
        warn(fmt::format("{}: the link {} leads to {}, which is not in the archive", path_to_text(tar_.path),
                         escaped_text(member.name), escaped_text(member.target)));
        return;
      }
      member.kind = target->kind;
      member.offset = target->offset;
      member.size = target->size;
    }
    if (member.kind != TarMemberKind::kFile) {
      const bool sparse = member.kind == TarMemberKind::kSparse;
      ++left_out(sparse ? "sparse files in tars (packed with tar -S)" : "devices and the like in tars");
      warn(fmt::format("{}: {} is {} and left out", path_to_text(tar_.path), escaped_text(member.name),
                       sparse ? "stored as a sparse file (tar -S)" : "no file"));
      return;
    }
    parts_.push_back({std::move(member), place, 0, image});
  }

  void group() {
    SampleCollector collector;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto& [member, place, sample, image] = parts_[i];
      collector.add(i, member.name, member.archive, image ? MemberRole::kImage : MemberRole::kDescription);
    }
    samples_ = collector.take();
    if (collector.returned() > 0)
      index_.counts.noted["keys that come back in a tar, as samples of their own"] += collector.returned();
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      if (samples_[i].images.empty()) ++left_out("samples without an image");
      for (const auto& [extension, image] : samples_[i].images) parts_[image].sample = i;
    }
  }

  void add_images(const TarReader& reader) {
    for (const auto& part : parts_) {
      if (!part.is_image) continue;
      Item item;
      item.member = escaped_text(part.member.name);
      item.id = escaped_text(tar_.name) + "/" + item.member;
      // A name that comes again stands for another image.
      while (!ids_.insert(item.id).second) item.id += "@" + std::to_string(part.place);
      item.source = path_to_text(tar_.path);
      item.offset = part.member.offset;
      item.size = part.member.size;
      if (wants_metadata_) add_metadata(part, reader, item);
      index_.items.push_back(std::move(item));
    }
  }

  /// The text that stands beside an image under an extension.
  std::optional<std::string> text_beside(const Part& image, const std::string& wanted,
                                         const TarReader& reader) {
    const auto extension = sample_name(image.member.name).extension;
    const auto description = description_of(samples_[image.sample], extension, wanted);
    if (description.ambiguous) {
      ++left_out("descriptions that could be of several images");
      warn(fmt::format("{}: several members end in .{} beside {}, and none is named like it",
                       path_to_text(tar_.path), wanted, escaped_text(image.member.name)));
    }
    if (!description.member) return std::nullopt;
    const TarMember& member = parts_[*description.member].member;
    auto text = reader.read(member, kMaxMetadata);
    if (!text) {
      ++left_out(kUnreadable);
      warn(path_to_text(tar_.path) + ": " + escaped_text(member.name) + " cannot be read");
      return std::nullopt;
    }
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    return text;
  }

  nlohmann::json json_beside(const Part& image, const TarReader& reader) {
    const auto text = text_beside(image, "json", reader);
    if (!text) return {};
    std::string why = "it is no object";
    try {
      auto object = parse_lenient_json(*text, index_.counts);
      if (object.is_object()) return object;
    } catch (const nlohmann::json::exception& error) {
      why = error.what();
    }
    ++left_out(kUnreadable);
    warn(fmt::format("{}: the .json of {} holds no JSON object: {}", path_to_text(tar_.path),
                     escaped_text(image.member.name), escaped_text(why)));
    return {};
  }

  void add_metadata(const Part& image, const TarReader& reader, Item& item) {
    const auto object = json_beside(image, reader);
    const auto of_json = [&](const std::string& name) -> std::optional<std::string> {
      if (!object.is_object()) return std::nullopt;
      const auto found = object.find(name);
      return found == object.end() || found->is_null() ? std::nullopt : std::optional(json_text(*found));
    };
    const auto value = [&](const std::string& name) -> std::string {
      // A configuration that says where captions stand goes before what else may hold one.
      if (name == "caption") {
        for (const auto& extension : source_.caption_extensions) {
          if (auto text = text_beside(image, extension, reader)) return *text;
        }
      }
      if (auto text = of_json(name)) return *text;
      for (const auto& extension : {lower_case(name), std::string(name == "caption" ? "txt" : "json")}) {
        // The .json as a whole is no field.
        if (extension == "json") continue;
        if (auto text = text_beside(image, extension, reader)) return *text;
      }
      return "";
    };
    for (const auto& field : source_.fields) item.fields.emplace_back(field, escaped_text(value(field)));
    if (!source_.group_column.empty()) item.reference = escaped_text(value(source_.group_column));
    if (!source_.split_column.empty()) item.split = escaped_text(value(source_.split_column));
    const auto number = [&](const std::string& column, const char* what) -> std::optional<double> {
      if (column.empty()) return std::nullopt;
      try {
        return parse_number(value(column), what);
      } catch (const std::invalid_argument& error) {
        ++index_.counts.left_out[no_number(what)];
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
  std::set<std::string> descriptions_;  // Extensions, whole or after a dot of them, of what is read.
  TarIndex index_;
  std::vector<Part> parts_;
  std::vector<Sample> samples_;
  std::unique_ptr<LinkResolver> links_;
  std::unordered_set<std::string> ids_;
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
    if (threads <= 1) {
      work();
      return;
    }
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

  std::string list(ItemSink& sink, SourceCounts& counts) const override {
    const auto tars = expand_tars(source_.patterns);
    TarListing listing(tars, source_);
    std::set<std::string> missing(source_.fields.begin(), source_.fields.end());
    std::size_t images = 0;
    for (std::size_t i = 0; i < tars.size(); ++i) {
      TarIndex index = listing.take();
      for (const auto& warning : index.warnings) base::log_warning("{}", warning);
      counts += index.counts;
      sink.begin_group(index.items.size());
      images += index.items.size();
      for (auto& item : index.items) {
        for (const auto& [field, value] : item.fields)
          if (!missing.empty() && !value.empty()) missing.erase(field);
        sink.add(std::move(item));
      }
    }
    for (const auto& field : missing) {
      if (images == 0) break;
      base::log_warning(
          "no image of the tars has a value for the field \"{}\": neither a key of a .json nor a member with "
          "that extension",
          escaped_text(field));
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

void read_tar(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
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
  read_extensions(node, "image_extensions", source.image_extensions);
  read_extensions(node, "caption", source.caption_extensions);
  read_columns(node, source);
}

}  // namespace

SourceType tar_type() {
  return {
      SourceKind::kTar, "tar", read_tar,
      [](const SourceConfig& source) {
        return SourceText(source, "tar").patterns().name().columns().fields().suffixes().extensions().text();
      },
      [](const SourceConfig& source) -> std::unique_ptr<Source> { return std::make_unique<Tars>(source); }};
}

}  // namespace quasar::corpus
