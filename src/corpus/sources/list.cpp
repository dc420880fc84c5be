#include "corpus/sources/list.h"

#include <utility>

#include "corpus/sources/repeated_rows.h"
#include "corpus/sources/rows.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {
namespace {

class List final : public Source {
 public:
  explicit List(SourceConfig source) : source_(std::move(source)) {}

  std::string list(ItemSink& sink, SourceCounts& counts) const override {
    const base::MappedFile file(source_.path);
    refuse_no_text(source_.path, text_of(file), MayBe::kText);
    SourceCounts counted_below;
    IdCounts ids;
    for_each_item(file, RowReader(source_, counted_below), [&](const Item& item) { ids.add(item.id); });
    ids.finish();
    // Lists are put together of others; a line has nothing to say beside its image.
    RepeatedRows repeated(Repeated::kFirst, ids, sink, counts, "lines that name an image again");
    for_each_item(file, RowReader(source_, counts), [&](Item item) { repeated.add(std::move(item)); });
    repeated.finish();
    return state();
  }
  std::string state() const override { return file_state(source_.path); }
  std::string describe_change(const std::string& before, const std::string& now) const override {
    return describe_file_change(before, now);
  }

 private:
  template <typename Use>
  static void for_each_item(const base::MappedFile& file, const RowReader& rows, const Use& use) {
    Lines lines(text_of(file));
    while (const auto line = lines.next()) use(rows.item(*line, lines.number()));
  }

  SourceConfig source_;
};

void read_list(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
               SourceConfig& source) {
  source.path = source_path(place, PathKind::kFile, presence);
  read_root(node, presence, source);
}

}  // namespace

SourceType list_type() {
  return {
      SourceKind::kList, "list", read_list,
      [](const SourceConfig& source) { return SourceText(source, "list").path().name().root().text(); },
      [](const SourceConfig& source) -> std::unique_ptr<Source> { return std::make_unique<List>(source); }};
}

}  // namespace quasar::corpus
