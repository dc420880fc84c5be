#include "corpus/sources/list.h"

#include "corpus/sources/rows.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {
namespace {

class List final : public Source {
 public:
  explicit List(SourceConfig source) : source_(std::move(source)) {}

  std::string list(ItemSink& sink, SourceCounts& counts) const override {
    const base::MappedFile file(source_.path);
    const RowReader rows(source_, counts);
    Lines lines(text_of(file));
    while (const auto line = lines.next()) sink.add(rows.item(*line, lines.number()));
    return state();
  }
  std::string state() const override { return file_state(source_.path); }
  std::string describe_change(const std::string& before, const std::string& now) const override {
    return describe_file_change(before, now);
  }

 private:
  SourceConfig source_;
};

void read(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
          SourceConfig& source) {
  source.path = source_path(place, PathKind::kFile, presence);
  read_root(node, presence, source);
}

}  // namespace

SourceType list_type() {
  return {
      SourceKind::kList, "list", read,
      [](const SourceConfig& source) { return SourceText(source, "list").path().name().root().text(); },
      [](const SourceConfig& source) -> std::unique_ptr<Source> { return std::make_unique<List>(source); }};
}

}  // namespace quasar::corpus
