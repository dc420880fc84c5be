#include "exports/list_formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

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

/// Writes a shard's part: of each row what `text_of` gives, or why it gives nothing.
template <typename TextOf>
ShardRecord write_part(const ExportLayout& layout, const Manifest& manifest, std::uint64_t shard,
                       std::span<const KeptRow> rows, const std::function<void()>& done,
                       const TextOf& text_of) {
  ShardRecord record;
  record.rows = rows.size();
  base::AtomicFile part(layout.part(shard));
  for (const auto& row : rows) {
    if (base::stop_requested()) base::fail(base::ExitCode::kInterrupted, base::stopped_message());
    const auto line = manifest.read(row.offset, row.length);
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

bool has_part(const ExportLayout& layout, std::uint64_t shard, const ShardRecord& record) {
  std::error_code error;
  return std::filesystem::file_size(layout.part(shard), error) == record.bytes && !error;
}

}  // namespace

ShardRecord UidList::write(std::uint64_t shard, std::span<const KeptRow> rows,
                           const std::function<void()>& done) {
  return write_part(layout_, manifest_, shard, rows, done, [&](const ManifestLine& line, LeftOut& why) {
    const auto text = config_.field.empty() ? line.hash : field_of(line, config_.field);
    if (parse_uid(text)) return text;
    why.status = text.empty() ? "no uid" : "not a uid";
    why.error = text.empty() ? fmt::format("it has no field \"{}\"", config_.field)
                             : fmt::format("\"{}\" is not 32 hexadecimal digits", text);
    return std::string();
  });
}

bool UidList::is_there(std::uint64_t shard, const ShardRecord& record) const {
  return has_part(layout_, shard, record);
}

void UidList::finish(const std::vector<ShardRecord>& records) const {
  constexpr std::size_t kUidDigits = 32;
  std::vector<Uid> uids;
  for (std::uint64_t shard = 0; shard < records.size(); ++shard) {
    const auto text = base::read_file(layout_.part(shard));
    for (std::size_t at = 0; at + kUidDigits <= text.size(); at += kUidDigits)
      uids.push_back(parse_uid(std::string_view(text).substr(at, kUidDigits)).value());
  }
  std::sort(uids.begin(), uids.end());
  base::write_file_atomically(layout_.folder() / "uids.npy", uid_file(uids));
}

ShardRecord UrlList::write(std::uint64_t shard, std::span<const KeptRow> rows,
                           const std::function<void()>& done) {
  return write_part(layout_, manifest_, shard, rows, done, [&](const ManifestLine& line, LeftOut& why) {
    const auto text = field_of(line, config_.field);
    if (!text.empty() && text.find_first_of("\r\n") == std::string::npos) return text + "\n";
    why.status = text.empty() ? "no url" : "not a url";
    why.error = text.empty() ? fmt::format("it has no field \"{}\"", config_.field) : "it has a line break";
    return std::string();
  });
}

bool UrlList::is_there(std::uint64_t shard, const ShardRecord& record) const {
  return has_part(layout_, shard, record);
}

void UrlList::finish(const std::vector<ShardRecord>& records) const {
  join_parts(layout_, records.size(), layout_.folder() / "urls.txt");
}

}  // namespace quasar::exports
