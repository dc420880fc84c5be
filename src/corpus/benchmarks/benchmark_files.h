// Owns the way to the files of a published data set below its folder: found whatever the case of their names,
// and named with the place where they were looked for when they are not there.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace quasar::corpus {

/// A picture of a data set: its path below the folder, as it is there or as it should be.
struct Picture {
  std::string path;
  bool there = false;
};

/// Whether pictures are looked for, or their labels read alone.
enum class LookFor { kPictures, kLabelsAlone };

class BenchmarkFiles {
 public:
  /// `title` stands for the data set in messages.
  BenchmarkFiles(std::filesystem::path root, std::string title, LookFor look_for = LookFor::kPictures);

  /// The first of `names` (paths below the root) that is there, with the root. Throws Error(kInput), naming
  /// all of them and what is there instead.
  std::filesystem::path label_file(const std::vector<std::string>& names);
  /// The same; nothing where none is there.
  std::optional<std::filesystem::path> find_label_file(const std::vector<std::string>& names);
  /// The files in a folder whose names end so (in lower case), in bytewise order. Throws Error(kInput) where
  /// there is no such folder, or none of them in it.
  std::vector<std::filesystem::path> label_files(const std::string& folder, std::string_view suffix);
  /// The same; empty where there is none.
  std::vector<std::filesystem::path> find_label_files(const std::string& folder, std::string_view suffix);

  /// The picture `name`, in the first of `folders` that has it. `place` says where the name stands. Throws
  /// Error(kInput) for a name that could lead out of the folder.
  Picture picture(const std::vector<std::string>& folders, const std::string& name, const std::string& place);
  /// The picture in `folder` whose name is `name` after a number and an underscore (0.500_NAME).
  Picture numbered_picture(const std::string& folder, const std::string& name, const std::string& place);

  /// Every label file that was asked for and was there, below the root.
  const std::set<std::string>& label_files_read() const { return read_; }
  const std::filesystem::path& root() const { return root_; }
  const std::string& title() const { return title_; }
  /// Error(kInput) about this data set.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  struct HashOfName {
    std::size_t operator()(const std::string& name) const;
  };
  struct SameName {
    bool operator()(const std::string& a, const std::string& b) const;
  };
  struct Folder {
    bool there = false;
    std::unordered_multiset<std::string, HashOfName, SameName> names;
    std::unordered_map<std::string, std::string> numbered;  ///< Name by what follows its number.
  };

  const Folder& folder(const std::string& path);
  std::optional<std::string> resolve(const std::string& path);
  std::optional<std::string> resolve_in(const std::string& folder, const std::string& name);
  std::string what_is_there();

  std::filesystem::path root_;
  std::string title_;
  LookFor look_for_;
  std::map<std::string, Folder> folders_;
  std::map<std::string, std::optional<std::string>> resolved_;
  /// Pictures that are not there, as they were first asked for.
  std::unordered_set<std::string, HashOfName, SameName> missing_;
  std::set<std::string> read_;
};

}  // namespace quasar::corpus
