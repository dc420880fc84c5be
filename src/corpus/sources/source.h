// Owns the interface of the kinds of sources that a corpus comes from, and the table of them all: a further
// kind is a file here and a line in that table. For the plan and the configuration, not for users of the
// module.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/config_node.h"
#include "corpus/corpus_config.h"
#include "corpus/item.h"
#include "corpus/published_set.h"

namespace quasar::corpus {

/// Counts by reason.
using Counts = std::map<std::string, std::uint64_t>;

/// What a source tells of its listing besides the items.
struct SourceCounts {
  Counts left_out;  ///< What it holds and the plan does not.
  Counts noted;     ///< What the plan holds in another way than might be thought.

  SourceCounts& operator+=(const SourceCounts& other);
};

/// Takes the items of a source in order.
class ItemSink {
 public:
  virtual ~ItemSink() = default;
  virtual void add(Item item) = 0;
  /// `count` items follow that should stay together where they can: those of one tar.
  virtual void begin_group(std::size_t count) { static_cast<void>(count); }
  /// The source is a published data set; told once, after its items.
  virtual void describe_set(PublishedSet /*set*/) {}
};

/// One source, as its configuration describes it.
class Source {
 public:
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  /// Gives every item to `sink`, in an order that is always the same, and counts what is left out, and noted.
  /// Returns the source's state as it was listed. Throws Error(kInput), with file and line where there are
  /// any.
  virtual std::string list(ItemSink& sink, SourceCounts& counts) const = 0;
  /// How the source has changed since its state was `before`, for a message; empty when it has not, or is
  /// gone from disk. Reads no image. `written`: when that state was, in nanoseconds since 1970.
  std::string change_since(const std::string& before, SourceCheck check, std::int64_t written) const;

 protected:
  Source() = default;

 private:
  /// What tells whether the source has changed since, as a JSON object, with stamps where these tell as much.
  /// Empty when the source is gone from disk.
  virtual std::string state() const = 0;
  /// How two states differ, for a message. Both are JSON objects of this kind of source, or of none.
  virtual std::string describe_change(const std::string& before, const std::string& now) const = 0;
};

/// A kind of source.
struct SourceType {
  SourceKind kind;
  std::string_view key;  ///< In a configuration, and in descriptions: "directory".
  /// Reads the keys of the kind from the source's section `node`, of which `place` is the value of `key`.
  void (*read)(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
               SourceConfig& source);
  /// Canonical text of such a source.
  std::string (*describe)(const SourceConfig& source);
  std::unique_ptr<Source> (*make)(const SourceConfig& source);
};

/// All kinds that a configuration can name.
std::span<const SourceType> source_types();
/// Throws Error(kInternal) for SourceKind::kItems, which is no source of a configuration.
const SourceType& source_type(SourceKind kind);

/// The source that a configuration describes.
std::unique_ptr<Source> make_source(const SourceConfig& source);

}  // namespace quasar::corpus
