#include "exports/list_formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/stop_signal.h"
#include "exports/uid.h"

namespace quasar::exports {
namespace {

/// A field of the corpus; empty where the row has none.
std::string field_of(const ManifestLine& line, const std::string& name) {
  const auto fields = line.columns.find("fields");
  if (fields == line.columns.end() || !fields->is_object()) return "";
  const auto value = fields->find(name);
  if (value == fields->end()) return "";
  return value->is_string() ? value->get<std::string>() : value->dump();
}

}  // namespace

ShardRecord RowList::write(std::uint64_t shard, std::span<const KeptRow> rows,
                           const std::function<void()>& done) {
  ShardRecord record;
  record.rows = rows.size();
  base::AtomicFile part(layout_.part(shard));
  for (const auto& row : rows) {
    base::end_if_stopped();
    const auto line = manifest_.read(row.offset, row.length);
    LeftOut why{line.item.id, line.item.source, {}, {}};
    const std::string text = text_of(line, why);
    if (text.empty()) {
      record.left_out.push_back(std::move(why));
    } else {
      part.write(text);
      record.bytes += text.size();
      ++record.samples;
    }
    done();
  }
  part.commit();
  return record;
}

bool RowList::is_there(std::uint64_t shard, const ShardRecord& record) const {
  std::error_code error;
  return std::filesystem::file_size(layout_.part(shard), error) == record.bytes && !error;
}

std::string UidList::text_of(const ManifestLine& line, LeftOut& why) const {
  const auto& field = config().field;
  auto text = field.empty() ? line.hash : field_of(line, field);
  if (parse_uid(text)) return text;
  why.status = text.empty() ? "no uid" : "not a uid";
  why.error = text.empty() ? fmt::format("it has no field \"{}\"", field)
                           : fmt::format("\"{}\" is not 32 hexadecimal digits", text);
  return "";
}

void UidList::finish(const std::vector<ShardRecord>& records) const {
  constexpr std::size_t kUidDigits = 32;
  std::vector<Uid> uids;
  for (std::uint64_t shard = 0; shard < records.size(); ++shard) {
    const auto text = base::read_file(layout().part(shard));
    for (std::size_t at = 0; at + kUidDigits <= text.size(); at += kUidDigits)
      uids.push_back(parse_uid(std::string_view(text).substr(at, kUidDigits)).value());
  }
  std::sort(uids.begin(), uids.end());
  base::write_file_atomically(layout().folder() / "uids.npy", uid_file(uids));
}

std::string UrlList::text_of(const ManifestLine& line, LeftOut& why) const {
  const auto text = field_of(line, config().field);
  if (!text.empty() && text.find_first_of("\r\n") == std::string::npos) return text + "\n";
  why.status = text.empty() ? "no url" : "not a url";
  why.error = text.empty() ? fmt::format("it has no field \"{}\"", config().field) : "it has a line break";
  return "";
}

void UrlList::finish(const std::vector<ShardRecord>& records) const {
  join_parts(layout(), records.size(), layout().folder() / "urls.txt");
}

}  // namespace quasar::exports
