#include "corpus/benchmarks/benchmark_files.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/checksum.h"
#include "base/errors.h"
#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {
namespace {

/// Names of a folder that a message lists.
constexpr std::size_t kNamesShown = 8;
/// Of more entries than these, none is looked into for what was missed.
constexpr std::size_t kMostCandidates = 1000;
constexpr std::uint64_t kHashSeed = 7;

std::string below(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

void check_picture_name(const std::string& name, const std::string& place) {
  const bool harmless = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
                        name.find('\0') == std::string::npos;
  if (!harmless) {
    base::fail(base::ExitCode::kInput, place + ": \"" + escaped_text(name.substr(0, 80)) +
                                           "\" is no name of a picture; a name without folders is expected");
  }
}

/// What follows the number and the underscore that a name begins with; empty where it begins otherwise.
std::string without_number(const std::string& name) {
  const auto end = name.find_first_not_of("0123456789.");
  return end == std::string::npos || end == 0 || name[end] != '_' ? "" : name.substr(end + 1);
}

}  // namespace

std::size_t BenchmarkFiles::HashOfName::operator()(const std::string& name) const {
  return static_cast<std::size_t>(base::xxh64(lower_case(name), kHashSeed));
}

bool BenchmarkFiles::SameName::operator()(const std::string& a, const std::string& b) const {
  return a.size() == b.size() && lower_case(a) == lower_case(b);
}

BenchmarkFiles::BenchmarkFiles(std::filesystem::path root, std::string title, LookFor look_for)
    : root_(std::move(root)), title_(std::move(title)), look_for_(look_for) {}

void BenchmarkFiles::fail(const std::string& message) const {
  base::fail(base::ExitCode::kInput, title_ + " in " + path_to_text(root_) + ": " + message);
}

const BenchmarkFiles::Folder& BenchmarkFiles::folder(const std::string& path) {
  const auto [place, is_new] = folders_.try_emplace(path);
  Folder& folder = place->second;
  if (!is_new) return folder;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(root_ / path, error), end; !error && entry != end;
       entry.increment(error)) {
    folder.names.insert(entry->path().filename().string());
  }
  folder.there = !error;
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
    fail("cannot read the folder " + path + ": " + error.message());
  return folder;
}

std::optional<std::string> BenchmarkFiles::resolve_in(const std::string& path, const std::string& name) {
  const auto [begin, end] = folder(path).names.equal_range(name);
  if (begin == end) return std::nullopt;
  // Of names that differ in case alone, the very one; else always the same.
  const auto exact = std::find(begin, end, name);
  return below(path, exact != end ? *exact : *std::min_element(begin, end));
}

std::optional<std::string> BenchmarkFiles::resolve(const std::string& path) {
  if (path.empty()) return path;
  const auto [place, is_new] = resolved_.try_emplace(path);
  if (!is_new) return place->second;
  const auto slash = path.rfind('/');
  const auto parent = resolve(slash == std::string::npos ? "" : path.substr(0, slash));
  if (parent) place->second = resolve_in(*parent, path.substr(slash == std::string::npos ? 0 : slash + 1));
  return place->second;
}

std::string BenchmarkFiles::what_is_there() {
  const Folder& here = folder("");
  if (!here.there) return "; there is no such folder";
  std::vector<std::string> names(here.names.begin(), here.names.end());
  std::sort(names.begin(), names.end());
  if (names.empty()) return "; the folder is empty";
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesShown); ++i)
    list += (i == 0 ? "" : ", ") + escaped_text(names[i]);
  return "; there are: " + list + (names.size() > kNamesShown ? ", ..." : "");
}

std::optional<std::filesystem::path> BenchmarkFiles::find_label_file(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (const auto found = resolve(name)) {
      read_.insert(*found);
      return root_ / *found;
    }
  }
  return std::nullopt;
}

std::filesystem::path BenchmarkFiles::label_file(const std::vector<std::string>& names) {
  if (const auto found = find_label_file(names)) return *found;
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : " nor ") + name;
  std::string hint = what_is_there();
  // The folder above, or the one within, is a common mistake.
  const auto candidates = folder("").names;
  if (candidates.size() > kMostCandidates) fail("there is no " + list + hint);
  for (const auto& candidate : candidates) {
    for (const auto& name : names) {
      if (resolve(below(candidate, name)))
        hint = "; it lies in " + candidate + " there: give that as \"root\"";
    }
  }
  std::error_code error;
  for (const auto& name : names) {
    if (std::filesystem::exists(root_.parent_path() / name, error))
      hint = "; it lies in " + path_to_text(root_.parent_path()) + ": give that as \"root\"";
  }
  fail("there is no " + list + hint);
}

std::vector<std::filesystem::path> BenchmarkFiles::find_label_files(const std::string& path,
                                                                    std::string_view suffix) {
  std::vector<std::string> names;
  const auto found = resolve(path);
  if (!found) return {};
  for (const auto& name : folder(*found).names) {
    if (has_suffix(name, {std::string(suffix)})) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  std::vector<std::filesystem::path> files;
  for (const auto& name : names) {
    read_.insert(below(*found, name));
    files.push_back(root_ / *found / name);
  }
  return files;
}

std::vector<std::filesystem::path> BenchmarkFiles::label_files(const std::string& path,
                                                               std::string_view suffix) {
  auto files = find_label_files(path, suffix);
  if (files.empty()) {
    fail((resolve(path) ? "the folder " + path + " holds no file *" + std::string(suffix)
                        : "there is no folder " + path + " with files *" + std::string(suffix)) +
         what_is_there());
  }
  return files;
}

Picture BenchmarkFiles::picture(const std::vector<std::string>& folders, const std::string& name,
                                const std::string& place) {
  check_picture_name(name, place);
  std::optional<std::string> first;
  if (look_for_ == LookFor::kPictures) {
    for (const auto& path : folders) {
      const auto there = resolve(path);
      if (!there) continue;
      if (const auto found = resolve_in(*there, name)) return {*found, true};
      if (!first) first = there;
    }
  }
  auto path = below(first.value_or(folders.front()), name);
  if (look_for_ == LookFor::kLabelsAlone) return {std::move(path), false};
  // One picture has one name, in whichever case a label file has it.
  return {*missing_.insert(std::move(path)).first, false};
}

Picture BenchmarkFiles::numbered_picture(const std::string& path, const std::string& name,
                                         const std::string& place) {
  check_picture_name(name, place);
  const auto there = look_for_ == LookFor::kPictures ? resolve(path) : std::nullopt;
  if (!there) return {below(path, name), false};
  folder(*there);
  Folder& in = folders_.at(*there);
  if (in.numbered.empty()) {
    for (const auto& entry : in.names) {
      if (const auto rest = without_number(entry); !rest.empty())
        in.numbered.emplace(lower_case(rest), entry);
    }
  }
  const auto found = in.numbered.find(lower_case(name));
  return found == in.numbered.end() ? Picture{below(*there, name), false}
                                    : Picture{below(*there, found->second), true};
}

}  // namespace quasar::corpus
