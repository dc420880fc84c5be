#include "exports/kept_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/atomic_file.h"
#include "base/await_file.h"
#include "base/errors.h"

namespace quasar::exports {
namespace {

/// Stands in every line of a kept row; where a field holds it, too, the line itself decides.
constexpr std::string_view kKept = "\"keep\":true";

/// What summary.json says of manifest.jsonl, which is as it says.
curation::FileSum summed_manifest(const store::RunLayout& run) {
  const auto path = run.manifest_jsonl();
  if (!base::is_there_anew(run.summary())) {
    base::fail(base::ExitCode::kInput,
               run.summary().string() + " is missing: run \"quasar rank\" first, which says what is kept");
  }
  const auto summary = nlohmann::json::parse(base::read_file(run.summary()), nullptr, false);
  const auto files =
      summary.is_object() ? summary.value("files", nlohmann::json::object()) : nlohmann::json();
  const auto recorded = files.is_object() ? files.find(path.filename().string()) : files.end();
  if (!files.is_object() || recorded == files.end()) {
    base::fail(base::ExitCode::kConfig, path.string() +
                                            " was not written, of which exports are made: add \"jsonl\" to "
                                            "curation.manifest and run \"quasar rank\" again");
  }
  if (const auto faults = curation::check_written_files(run, curation::SumCheck::kSmall, path);
      !faults.empty())
    base::fail(base::ExitCode::kMismatch, faults.front());
  return {recorded->at("bytes").get<std::uint64_t>(), recorded->at("xxh128").get<std::string>()};
}

}  // namespace

Manifest::Manifest(const store::RunLayout& run)
    : summed_(summed_manifest(run)), lines_(run.manifest_jsonl()) {
  if (lines_.size() != summed_.bytes)
    base::fail(base::ExitCode::kMismatch,
               lines_.path().string() + " was written anew while it was opened; start again");
}

void Manifest::fail_line(std::uint64_t offset, std::string_view why) const {
  base::fail(base::ExitCode::kMismatch,
             fmt::format("{}, byte {}: {}; run \"quasar rank\" again", lines_.path().string(), offset, why));
}

nlohmann::ordered_json Manifest::first_row() const {
  curation::ManifestLines::Cursor cursor(lines_);
  auto row = cursor.next() ? nlohmann::ordered_json::parse(cursor.line(), nullptr, false)
                           : nlohmann::ordered_json::object();
  return row.is_object() ? row : nlohmann::ordered_json::object();
}

ManifestLine Manifest::read(std::uint64_t offset, std::uint32_t length) const {
  ManifestLine line;
  line.columns = nlohmann::ordered_json::parse(text(offset, length), nullptr, false);
  if (!line.columns.is_object()) fail_line(offset, "there is no row");
  try {
    line.item.id = line.columns.at("id").get<std::string>();
    line.item.source = line.columns.at("source").get<std::string>();
    line.item.member = line.columns.at("member").get<std::string>();
    line.item.offset = line.columns.at("offset").get<std::uint64_t>();
    line.item.size = line.columns.at("bytes").get<std::uint64_t>();
    line.hash = line.columns.at("hash").get<std::string>();
    const auto format = line.columns.find("format");
    if (format != line.columns.end() && format->is_string()) line.format = format->get<std::string>();
  } catch (const nlohmann::json::exception& error) {
    fail_line(offset, error.what());
  }
  return line;
}

std::vector<KeptRow> Manifest::scan(std::uint64_t begin, std::uint64_t end, bool with_dropped) const {
  std::vector<KeptRow> rows;
  for (curation::ManifestLines::Cursor cursor(lines_, begin, end); cursor.next();) {
    const auto line = cursor.line();
    if (!with_dropped && line.find(kKept) == std::string_view::npos) continue;
    const auto columns = nlohmann::json::parse(line, nullptr, false);
    if (!columns.is_object() || !columns.contains("keep") || !columns.contains("bytes") ||
        !columns["bytes"].is_number_unsigned())
      fail_line(cursor.offset(), "there is no row");
    if (!with_dropped && columns["keep"] != true) continue;
    KeptRow row;
    row.offset = cursor.offset();
    row.length = static_cast<std::uint32_t>(line.size());
    row.bytes = columns["bytes"].get<std::uint64_t>();
    if (const auto number = columns.find("row"); number != columns.end() && number->is_number_unsigned())
      row.row = number->get<std::uint64_t>();
    if (const auto format = columns.find("format"); format != columns.end() && format->is_string()) {
      const auto& name = format->get_ref<const std::string&>();
      std::copy_n(name.begin(), std::min(name.size(), row.format.size() - 1), row.format.begin());
    }
    rows.push_back(row);
  }
  return rows;
}

std::vector<KeptRow> Manifest::read_kept(const comm::Communicator& comm, bool with_dropped) const {
  std::string mine;
  comm.together([&] {
    const auto ranks = static_cast<std::uint64_t>(comm.size());
    const auto rank = static_cast<std::uint64_t>(comm.rank());
    // In an order that does not overflow.
    const auto place = [&](std::uint64_t part) {
      return lines_.size() / ranks * part + lines_.size() % ranks * part / ranks;
    };
    const auto rows = scan(place(rank), place(rank + 1), with_dropped);
    mine.assign(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(KeptRow));
  });
  std::vector<KeptRow> all;
  for (const auto& part : comm.gather(mine)) {
    const std::size_t had = all.size();
    all.resize(had + part.size() / sizeof(KeptRow));
    if (!part.empty()) std::memcpy(all.data() + had, part.data(), part.size());
  }
  return all;
}

}  // namespace quasar::exports
