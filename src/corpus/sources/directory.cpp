#include "corpus/sources/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/progress.h"
#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"
#include "corpus/sources/stamps.h"

namespace quasar::corpus {
namespace {

/// Deeper trees than this are somebody's mistake or malice; every level holds an open folder.
constexpr std::size_t kMaxDepth = 128;
constexpr const char* kLinks = "links to folders";
constexpr const char* kTars = "tars, which are a source of their own";

/// The names in one folder in one buffer: a folder with millions of files must not cost a string each.
struct Names {
  std::string text;                   // Names ended by NUL; folders end in '/' before it.
  std::vector<std::uint64_t> starts;  // Sorted bytewise.
  std::size_t next = 0;
};

struct Folder {
  std::unique_ptr<DIR, int (*)(DIR*)> handle{nullptr, &::closedir};
  std::string prefix;  // Path below the root, ended by '/', or empty.
  Names names;
};

class DirectoryLister {
 public:
  /// `sink`: null where only the state is wanted.
  DirectoryLister(const SourceConfig& source, ItemSink* sink, Counts& left_out)
      : source_(source), sink_(sink), left_out_(left_out) {}

  /// The state of the folder: how many ids, and which, without keeping them.
  std::string run() {
    std::vector<Folder> stack;
    const int root = ::open(source_.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
      base::fail(base::ExitCode::kInput,
                 "cannot open the folder " + source_.path.string() + ": " + base::describe_errno(errno));
    }
    is_new_folder(root);
    stack.push_back(read_folder(root, ""));
    while (!stack.empty()) {
      Folder& folder = stack.back();
      if (folder.names.next == folder.names.starts.size()) {
        stack.pop_back();
        continue;
      }
      const std::string name = folder.names.text.c_str() + folder.names.starts[folder.names.next++];
      const int fd = ::dirfd(folder.handle.get());
      if (name.back() != '/') {
        add_file(fd, folder.prefix, name);
        continue;
      }
      const std::string below = folder.prefix + name;
      if (stack.size() >= kMaxDepth) {
        ++left_out_["folders nested too deeply"];
        continue;
      }
      // O_NOFOLLOW: what became a link after it was listed is not followed either.
      const int child =
          ::openat(fd, name.substr(0, name.size() - 1).c_str(),
                   O_RDONLY | O_DIRECTORY | O_CLOEXEC | (source_.follow_links ? 0 : O_NOFOLLOW));
      if (child < 0) {
        stamps_.add(source_.path / below);
        base::log_warning("the folder {} cannot be read and is left out: {}",
                          path_to_text(source_.path / below), base::describe_errno(errno));
        ++left_out_["folders that cannot be read"];
        continue;
      }
      if (!is_new_folder(child)) {
        ::close(child);
        ++left_out_["folders met a second time, through links"];
        continue;
      }
      stack.push_back(read_folder(child, below));
    }
    nlohmann::json state = {{"files", count_}, {"sha256", ids_.hex_digest()}};
    stamps_.put_into(state);
    return state.dump();
  }
  /// One of the tars that were met, below the folder.
  const std::string& example_tar() const { return example_tar_; }

 private:
  Folder read_folder(int fd, std::string prefix) {
    Folder folder;
    folder.handle.reset(::fdopendir(fd));
    folder.prefix = std::move(prefix);
    if (!folder.handle)
      base::fail(base::ExitCode::kInput, "cannot read a folder: " + base::describe_errno(errno));
    struct stat status {};
    if (::fstat(fd, &status) == 0) stamps_.add(source_.path / folder.prefix, status);
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(folder.handle.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      const bool may_be_link = entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK;
      const bool is_folder = entry->d_type == DT_DIR ||
                             (entry->d_type == DT_UNKNOWN && is_real_folder(fd, entry->d_name)) ||
                             (source_.follow_links && may_be_link && leads_to_folder(fd, entry->d_name));
      if (name.front() == '.') {
        ++left_out_[is_folder ? "hidden folders" : "hidden files"];
        continue;
      }
      folder.names.starts.push_back(folder.names.text.size());
      folder.names.text.append(name);
      if (is_folder) folder.names.text.push_back('/');
      folder.names.text.push_back('\0');
    }
    if (errno != 0) {
      base::fail(base::ExitCode::kInput, "cannot read the folder " + (source_.path / folder.prefix).string() +
                                             ": " + base::describe_errno(errno));
    }
    // With the slash, folders sort among files as whole paths do.
    const char* const text = folder.names.text.c_str();
    std::sort(folder.names.starts.begin(), folder.names.starts.end(),
              [text](std::uint64_t a, std::uint64_t b) {
                return std::string_view(text + a) < std::string_view(text + b);
              });
    return folder;
  }

  static bool is_real_folder(int fd, const char* name) {
    struct stat status {};
    return ::fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
  }

  static bool leads_to_folder(int fd, const char* name) {
    struct stat status {};
    return ::fstatat(fd, name, &status, 0) == 0 && S_ISDIR(status.st_mode);
  }

  /// Whether an open folder was not read yet. Without links there is one way to each.
  bool is_new_folder(int fd) {
    struct stat status {};
    if (!source_.follow_links || ::fstat(fd, &status) != 0) return true;
    return folders_.emplace(status.st_dev, status.st_ino).second;
  }

  void add_file(int fd, const std::string& prefix, const std::string& name) {
    struct stat status {};
    const bool suffix = has_suffix(name, source_.suffixes);
    if (!suffix) {
      // Only to tell a link to a folder, which somebody may miss, from other files.
      const bool is_link =
          ::fstatat(fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
      if (is_link && leads_to_folder(fd, name.c_str())) {
        ++left_out_[kLinks];
      } else if (has_suffix(name, {".tar", ".tgz", ".tar.gz"})) {
        if (example_tar_.empty()) example_tar_ = path_to_text(prefix + name);
        ++left_out_[kTars];
      } else {
        ++left_out_["files without an image suffix"];
      }
      return;
    }
    if (::fstatat(fd, name.c_str(), &status, 0) != 0) {
      ++left_out_[errno == ELOOP || errno == ENOENT ? "links to nothing" : "files that cannot be looked at"];
      return;
    }
    if (S_ISDIR(status.st_mode)) {
      ++left_out_[kLinks];
      return;
    }
    if (!S_ISREG(status.st_mode)) {
      ++left_out_["pipes, sockets and devices"];
      return;
    }
    Item item;
    item.id = escaped_text(prefix + name);
    item.source = path_to_text(source_.path / (prefix + name));
    item.size = static_cast<std::uint64_t>(status.st_size);
    ++count_;
    ids_.update(item.id);
    ids_.update(std::string_view("\0", 1));
    if (sink_ != nullptr) sink_->add(std::move(item));
  }

  const SourceConfig& source_;
  ItemSink* sink_;
  Counts& left_out_;
  std::uint64_t count_ = 0;
  base::Sha256 ids_;
  Stamps stamps_;
  std::string example_tar_;
  std::set<std::pair<dev_t, ino_t>> folders_;  // Read already, where links are followed.
};

/// Images come in bytewise order of their path below the folder. Links to files count as files; links to
/// folders are not followed unless that is asked for, so that no file comes twice and none from outside the
/// folder's own tree unless a link names it. Where they are followed, a folder that several ways lead to
/// comes once, by the first of them.
class Directory final : public Source {
 public:
  explicit Directory(SourceConfig source) : source_(std::move(source)) {}

  std::string list(ItemSink& sink, SourceCounts& counts) const override {
    SourceCounts own;
    DirectoryLister lister(source_, &sink, own.left_out);
    std::string state = lister.run();
    if (const auto links = own.left_out.find(kLinks); links != own.left_out.end()) {
      base::log_warning("{}: {} left out; \"follow_links: true\" takes the images below them",
                        path_to_text(source_.path), base::counted(links->second, "link") + " to folders");
    }
    if (const auto tars = own.left_out.find(kTars); tars != own.left_out.end()) {
      base::log_warning(
          "{} holds {}, such as {}, which a folder leaves out; the source {{tar: \"{}\"}} takes "
          "the images in them",
          path_to_text(source_.path), base::counted(tars->second, "tar"), lister.example_tar(),
          path_to_text(source_.path / "*.tar"));
    }
    counts += own;
    return state;
  }
  std::string state() const override {
    std::error_code error;
    if (!std::filesystem::exists(source_.path, error)) return "";
    Counts left_out;
    return DirectoryLister(source_, nullptr, left_out).run();
  }
  std::string describe_change(const std::string& before, const std::string& now) const override {
    const auto old_state = nlohmann::json::parse(before, nullptr, false);
    const auto new_state = nlohmann::json::parse(now, nullptr, false);
    if (!old_state.is_object() || !new_state.is_object()) return kOtherKind;
    const auto count = [](const nlohmann::json& state) { return state.value("files", std::uint64_t{0}); };
    return count(old_state) == count(new_state)
               ? fmt::format("it holds as many images ({}) under other names", count(new_state))
               : fmt::format("it held {} images and now holds {}", count(old_state), count(new_state));
  }

 private:
  SourceConfig source_;
};

void read_directory(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
                    SourceConfig& source) {
  source.path = source_path(place, PathKind::kFolder, presence);
  read_suffixes(node, source);
  source.follow_links = node.get<bool>("follow_links", false);
}

}  // namespace

SourceType directory_type() {
  return {SourceKind::kDirectory, "directory", read_directory,
          [](const SourceConfig& source) {
            return SourceText(source, "directory").path().name().suffixes().follow_links().text();
          },
          [](const SourceConfig& source) -> std::unique_ptr<Source> {
            return std::make_unique<Directory>(source);
          }};
}

}  // namespace quasar::corpus
