#include "curation/text_sink.h"

#include <utility>

#include "base/csv_cell.h"
#include "curation/cell_text.h"

namespace quasar::curation {

std::string header_line(TextFormat format, const Columns& columns, const ShownColumns& shown) {
  std::string text;
  if (format == TextFormat::kJsonLines) return text;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (!shown[c]) continue;
    if (!text.empty()) text += ',';
    base::append_csv_text(columns[c].name, text);
  }
  return text + "\n";
}

void append_line(TextFormat format, const Columns& columns, const ShownColumns& shown, const ManifestRow& row,
                 std::string& text) {
  bool first = true;
  const bool json = format == TextFormat::kJsonLines;
  if (json) text += '{';
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (!shown[c]) continue;
    if (!std::exchange(first, false)) text += ',';
    if (json) {
      append_json_string(columns[c].name, text);
      text += ':';
      append_json(columns[c].type, row[c], text);
    } else {
      append_csv(columns[c].type, row[c], text);
    }
  }
  text += json ? "}\n" : "\n";
}

TextSink::TextSink(TextFormat format, const std::filesystem::path& path, const std::filesystem::path& parts,
                   const Columns& columns, ShownColumns shown, const comm::Communicator& comm)
    : format_(format),
      columns_(columns),
      shown_(std::move(shown)),
      name_(path.filename().string()),
      file_(path, parts, comm) {
  comm.on_root([&] { file_.write(header_line(format_, columns_, shown_)); });
}

void TextSink::write(const ManifestRow& row) {
  line_.clear();
  append_line(format_, columns_, shown_, row, line_);
  file_.write(line_);
}

void TextSink::commit(const CurationResult& /*result*/, WrittenFiles& files) {
  files[name_] = file_.commit();
}

}  // namespace quasar::curation
