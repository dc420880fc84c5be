// Owns listing of what a source holds, one item after the other. For the plan, not for users of the module.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.h"
#include "corpus/corpus_config.h"
#include "corpus/item.h"

namespace quasar::corpus {

using LeftOut = std::map<std::string, std::uint64_t>;

/// Takes the items of a source in order.
class ItemSink {
 public:
  virtual ~ItemSink() = default;
  virtual void add(Item item) = 0;
  /// `count` items follow that should stay together where they can: those of one tar.
  virtual void begin_tar(std::size_t count) { static_cast<void>(count); }
};

/// Gives every item of a source to `sink` and counts what is left out. Throws Error(kInput).
void list_items(const SourceConfig& source, ItemSink& sink, LeftOut& left_out);

/// Counts and digests the ids of a folder: its state without keeping them.
class IdDigest {
 public:
  void add(std::string_view id);
  /// The state of the folder, as source_state() gives it. Call once.
  std::string state();

 private:
  std::uint64_t count_ = 0;
  base::Sha256 digest_;
};

/// What tells whether a source has changed since, as JSON text: the names in a folder, the content of a list
/// or table, the names and sizes of tars. Reads no image. Empty when the source is gone from disk.
std::string source_state(const SourceConfig& source);
/// How two states of one source differ, for a message.
std::string describe_change(const std::string& before, const std::string& now);

/// The four kinds of list_items. Images of a folder come in bytewise order of their path below it. Links to
/// files count as files; links to folders are not followed, so that no file comes twice and none from outside
/// the folder's own tree unless a link names it.
void list_directory(const SourceConfig& source, ItemSink& sink, LeftOut& left_out);
void list_list(const SourceConfig& source, ItemSink& sink);
void list_table(const SourceConfig& source, ItemSink& sink);
void list_tars(const SourceConfig& source, ItemSink& sink, LeftOut& left_out);

/// What one tar holds.
struct TarIndex {
  std::vector<Item> items;
  LeftOut left_out;
  std::vector<std::string> warnings;
};
/// Throws Error(kInput) when the tar cannot be opened or is compressed.
TarIndex index_tar(const TarFile& tar, const SourceConfig& source);

/// Whether a name ends in one of the suffixes, whatever its case.
bool has_suffix(std::string_view name, const std::vector<std::string>& suffixes);
/// A label; empty text is none. Throws std::invalid_argument with a message when it is no finite number.
std::optional<double> parse_label(std::string_view text);

}  // namespace quasar::corpus
