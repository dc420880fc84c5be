#include "exports/sample_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/activity.h"
#include "base/errors.h"
#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"
#include "corpus/sources/tar_links.h"
#include "corpus/sources/tar_reader.h"
#include "corpus/sources/tar_samples.h"

namespace quasar::exports {
namespace {

/// What a name takes beside its text, about.
constexpr std::uint64_t kPerMember = 160;

/// "05." of "05.jpg".
std::string_view stem_of(std::string_view extension) {
  const std::size_t dot = extension.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : extension.substr(0, dot + 1);
}

bool is_of(std::string_view extension, std::string_view picture) {
  const auto stem = stem_of(picture);
  return !stem.empty() && extension.starts_with(stem);
}

}  // namespace

struct SampleFiles::Listing {
  struct Member {
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    bool usable = true;  ///< A file, or a link to one.
  };
  std::vector<Member> members;
  std::vector<corpus::Sample> samples;
  /// Pictures: their samples, by where their bytes lie (tars) or by key (folders).
  std::unordered_multimap<std::uint64_t, std::pair<std::size_t, std::size_t>> by_offset;
  std::unordered_map<std::string, std::size_t> by_key;
  std::uint64_t bytes = 0;
};

SampleFiles::SampleFiles(const corpus::CorpusConfig& corpus, std::uint64_t memory) : memory_(memory) {
  for (const auto& source : corpus.sources) {
    auto& into = source.image_extensions.empty() ? suffixes_ : image_extensions_;
    const auto& from = source.image_extensions.empty() ? source.suffixes : source.image_extensions;
    into.insert(into.end(), from.begin(), from.end());
  }
}

SampleFiles::~SampleFiles() = default;

bool SampleFiles::is_picture(std::string_view name) const {
  if (corpus::has_suffix(name, suffixes_)) return true;
  const auto extension = corpus::sample_name(name).extension;
  return std::find(image_extensions_.begin(), image_extensions_.end(), extension) != image_extensions_.end();
}

std::shared_ptr<SampleFiles::Listing> SampleFiles::list_folder(const std::filesystem::path& folder) const {
  auto found = std::make_shared<Listing>();
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    auto name = entry->path().filename().native();
    if (!corpus::is_hidden(name)) names.push_back(std::move(name));
    base::note_activity();
  }
  std::sort(names.begin(), names.end());
  for (auto& name : names) {
    const auto parts = corpus::sample_name(name);
    const auto [sample, is_new] = found->by_key.emplace(parts.key, found->samples.size());
    if (is_new) found->samples.emplace_back();
    auto& files = is_picture(name) ? found->samples[sample->second].images
                                   : found->samples[sample->second].descriptions;
    files.emplace(parts.extension, found->members.size());
    found->bytes += 2 * name.size() + kPerMember;
    found->members.push_back({std::move(name)});
  }
  return found;
}

std::shared_ptr<SampleFiles::Listing> SampleFiles::list_tar(const std::filesystem::path& tar) const {
  auto found = std::make_shared<Listing>();
  std::vector<bool> pictures;
  std::optional<corpus::LinkResolver> links;
  corpus::SampleCollector collector;
  try {
    corpus::TarReader reader(corpus::open_tar(tar));
    while (auto member = reader.next()) {
      base::note_activity();
      if (corpus::is_hidden(member->name)) continue;
      using Kind = corpus::TarMemberKind;
      Listing::Member known{member->name, member->offset, member->size};
      if (member->kind == Kind::kHardLink || member->kind == Kind::kSymbolicLink) {
        if (!links) links.emplace(tar);
        const auto* target = links->resolve(*member);
        known.usable = target != nullptr && target->kind == Kind::kFile;
        if (known.usable) {
          known.offset = target->offset;
          known.size = target->size;
        }
      } else {
        known.usable = member->kind == Kind::kFile;
      }
      pictures.push_back(is_picture(member->name));
      collector.add(found->members.size(), member->name, member->archive,
                    pictures.back() ? corpus::MemberRole::kImage : corpus::MemberRole::kDescription);
      found->bytes += 2 * member->name.size() + kPerMember;
      found->members.push_back(std::move(known));
    }
  } catch (const base::Error&) {
    return std::make_shared<Listing>();
  }
  found->samples = collector.take();
  for (std::size_t sample = 0; sample < found->samples.size(); ++sample) {
    for (const auto& [extension, member] : found->samples[sample].images)
      found->by_offset.emplace(found->members[member].offset, std::pair(member, sample));
  }
  return found;
}

const SampleFiles::Listing& SampleFiles::listing(const std::filesystem::path& place, bool tar) {
  const auto known = std::find_if(listings_.begin(), listings_.end(),
                                  [&](const auto& entry) { return entry.first == place; });
  if (known != listings_.end()) {
    listings_.splice(listings_.begin(), listings_, known);
    return *listings_.front().second;
  }
  listings_.emplace_front(place, tar ? list_tar(place) : list_folder(place));
  held_ += listings_.front().second->bytes;
  while (held_ > memory_ && listings_.size() > 1) {
    held_ -= listings_.back().second->bytes;
    listings_.pop_back();
  }
  return *listings_.front().second;
}

std::string picture_name(const corpus::Item& item) {
  return item.member.empty() ? corpus::text_to_path(item.source).filename().native() : item.member;
}

std::vector<SampleFile> SampleFiles::find(const corpus::Item& item, Notes& notes) {
  const auto source = corpus::text_to_path(item.source);
  const bool in_tar = !item.member.empty();
  const auto& found = listing(in_tar ? source : source.parent_path(), in_tar);
  const corpus::Sample* sample = nullptr;
  if (in_tar) {
    const auto [first, last] = found.by_offset.equal_range(item.offset);
    for (auto entry = first; entry != last; ++entry) {
      if (corpus::escaped_text(found.members[entry->second.first].name) == item.member)
        sample = &found.samples[entry->second.second];
    }
  } else {
    const auto key = found.by_key.find(std::string(corpus::sample_name(source.filename().native()).key));
    if (key != found.by_key.end()) sample = &found.samples[key->second];
  }
  std::vector<SampleFile> files;
  if (sample == nullptr) return files;
  const auto own = corpus::sample_name(picture_name(item)).extension;
  for (const auto& [extension, number] : sample->descriptions) {
    const auto& member = found.members[number];
    // A picture that comes under a name that is none of a picture.
    if (extension == own) continue;
    const bool mine = is_of(extension, own);
    const bool of_another = !mine && std::any_of(sample->images.begin(), sample->images.end(),
                                                 [&extension = extension](const auto& image) {
                                                   return is_of(extension, image.first);
                                                 });
    if (of_another) continue;
    SampleFile file{extension, mine ? extension.substr(stem_of(own).size()) : extension, source,
                    member.offset, member.size};
    if (!in_tar) {
      file.file = source.parent_path() / member.name;
      struct stat status {};
      if (::stat(file.file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
      file.size = static_cast<std::uint64_t>(status.st_size);
    }
    if (extension.empty() || !member.usable) {
      ++notes[extension.empty() ? "files without an extension beside pictures, not copied"
                                : "members that are no plain files beside pictures, not copied"];
      continue;
    }
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace quasar::exports
