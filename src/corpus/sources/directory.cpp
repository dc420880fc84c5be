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
#include <string>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/logging.h"
#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {
namespace {

/// Deeper trees than this are somebody's mistake or malice; every level holds an open folder.
constexpr std::size_t kMaxDepth = 128;

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
  DirectoryLister(const SourceConfig& source, ItemSink* sink, LeftOut& left_out)
      : source_(source), sink_(sink), left_out_(left_out) {}

  /// The state of the folder: how many ids, and which, without keeping them.
  std::string run() {
    std::vector<Folder> stack;
    const int root = ::open(source_.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
      base::fail(base::ExitCode::kInput,
                 "cannot open the folder " + source_.path.string() + ": " + base::describe_errno(errno));
    }
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
      const int child = ::openat(fd, name.substr(0, name.size() - 1).c_str(),
                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (child < 0) {
        base::log_warning("the folder {} cannot be read and is left out: {}",
                          path_to_text(source_.path / below), base::describe_errno(errno));
        ++left_out_["folders that cannot be read"];
        continue;
      }
      stack.push_back(read_folder(child, below));
    }
    return nlohmann::json({{"files", count_}, {"sha256", ids_.hex_digest()}}).dump();
  }

 private:
  Folder read_folder(int fd, std::string prefix) {
    Folder folder;
    folder.handle.reset(::fdopendir(fd));
    folder.prefix = std::move(prefix);
    if (!folder.handle)
      base::fail(base::ExitCode::kInput, "cannot read a folder: " + base::describe_errno(errno));
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(folder.handle.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      const bool is_folder =
          entry->d_type == DT_DIR || (entry->d_type == DT_UNKNOWN && is_real_folder(fd, entry->d_name));
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

  void add_file(int fd, const std::string& prefix, const std::string& name) {
    struct stat status {};
    const bool suffix = has_suffix(name, source_.suffixes);
    if (!suffix) {
      // Only to tell a link to a folder, which somebody may miss, from other files.
      const bool is_link_to_folder = ::fstatat(fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                                     S_ISLNK(status.st_mode) &&
                                     ::fstatat(fd, name.c_str(), &status, 0) == 0 && S_ISDIR(status.st_mode);
      ++left_out_[is_link_to_folder ? "links to folders" : "files without an image suffix"];
      return;
    }
    if (::fstatat(fd, name.c_str(), &status, 0) != 0) {
      ++left_out_[errno == ELOOP || errno == ENOENT ? "links to nothing" : "files that cannot be looked at"];
      return;
    }
    if (S_ISDIR(status.st_mode)) {
      ++left_out_["links to folders"];
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
  LeftOut& left_out_;
  std::uint64_t count_ = 0;
  base::Sha256 ids_;
};

/// Images come in bytewise order of their path below the folder. Links to files count as files; links to
/// folders are not followed, so that no file comes twice and none from outside the folder's own tree unless a
/// link names it.
class Directory final : public Source {
 public:
  explicit Directory(SourceConfig source) : source_(std::move(source)) {}

  std::string list(ItemSink& sink, LeftOut& left_out) const override {
    return DirectoryLister(source_, &sink, left_out).run();
  }
  std::string state() const override {
    std::error_code error;
    if (!std::filesystem::exists(source_.path, error)) return "";
    LeftOut left_out;
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

void read(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
          SourceConfig& source) {
  source.path = source_path(place, PathKind::kFolder, presence);
  read_suffixes(node, source);
}

}  // namespace

SourceType directory_type() {
  return {SourceKind::kDirectory, "directory", read,
          [](const SourceConfig& source) {
            return SourceText(source, "directory").path().name().suffixes().text();
          },
          [](const SourceConfig& source) -> std::unique_ptr<Source> {
            return std::make_unique<Directory>(source);
          }};
}

}  // namespace quasar::corpus
