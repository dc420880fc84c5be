#include "exports/kept_rows.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/await_file.h"
#include "base/errors.h"
#include "base/stop_signal.h"
#include "curation/written_files.h"
#include "exports/file_io.h"

namespace quasar::exports {
namespace {

constexpr std::size_t kReadAtOnce = std::size_t{4} << 20U;
/// Stands in every line of a kept row; where a field holds it, too, the line itself decides.
constexpr std::string_view kKept = "\"keep\":true";

}  // namespace

Manifest::Manifest(const store::RunLayout& run) : path_(run.manifest_jsonl()) {
  if (!base::is_there_anew(run.summary())) {
    base::fail(base::ExitCode::kInput,
               run.summary().string() + " is missing: run \"quasar rank\" first, which says what is kept");
  }
  const auto summary = nlohmann::json::parse(base::read_file(run.summary()), nullptr, false);
  const auto files =
      summary.is_object() ? summary.value("files", nlohmann::json::object()) : nlohmann::json();
  const auto recorded = files.is_object() ? files.find(path_.filename().string()) : files.end();
  if (!files.is_object() || recorded == files.end()) {
    base::fail(base::ExitCode::kConfig, path_.string() +
                                            " was not written, of which exports are made: add \"jsonl\" to "
                                            "curation.manifest and run \"quasar rank\" again");
  }
  if (const auto faults = curation::check_written_files(run, curation::SumCheck::kSmall, path_);
      !faults.empty())
    base::fail(base::ExitCode::kMismatch, faults.front());
  size_ = recorded->at("bytes").get<std::uint64_t>();
  xxh128_ = recorded->at("xxh128").get<std::string>();
  file_ = open_for_reading(path_);
}

void Manifest::fail_line(std::uint64_t offset, std::string_view why) const {
  base::fail(base::ExitCode::kMismatch,
             fmt::format("{}, byte {}: {}; run \"quasar rank\" again", path_.string(), offset, why));
}

std::string Manifest::text(std::uint64_t offset, std::uint32_t length) const {
  std::string text(length, '\0');
  read_exactly(file_, path_, offset, std::as_writable_bytes(std::span(text)));
  return text;
}

nlohmann::ordered_json Manifest::first_row() const {
  std::string line;
  while (line.find('\n') == std::string::npos && line.size() < size_) {
    const auto more = static_cast<std::uint32_t>(std::min<std::uint64_t>(kReadAtOnce, size_ - line.size()));
    line += text(line.size(), more);
  }
  auto row = nlohmann::ordered_json::parse(line.substr(0, line.find('\n')), nullptr, false);
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
  std::string text;  // From `first` on.
  std::uint64_t first = begin > 0 ? begin - 1 : 0;
  std::uint64_t next = first;  // To be read.
  // A line that began before is another rank's.
  bool skipping = begin > 0;
  const auto take = [&](std::string_view line, std::uint64_t offset) {
    if (!with_dropped && line.find(kKept) == std::string_view::npos) return;
    const auto columns = nlohmann::json::parse(line, nullptr, false);
    if (!columns.is_object() || !columns.contains("keep") || !columns.contains("bytes") ||
        !columns["bytes"].is_number_unsigned())
      fail_line(offset, "there is no row");
    if (!with_dropped && columns["keep"] != true) return;
    KeptRow row;
    row.offset = offset;
    row.length = static_cast<std::uint32_t>(line.size());
    row.bytes = columns["bytes"].get<std::uint64_t>();
    if (const auto number = columns.find("row"); number != columns.end() && number->is_number_unsigned())
      row.row = number->get<std::uint64_t>();
    if (const auto format = columns.find("format"); format != columns.end() && format->is_string()) {
      const auto& name = format->get_ref<const std::string&>();
      std::copy_n(name.begin(), std::min(name.size(), row.format.size() - 1), row.format.begin());
    }
    rows.push_back(row);
  };
  while (next < size_) {
    base::end_if_stopped();
    base::note_activity();
    const std::size_t had = text.size();
    text.resize(had + static_cast<std::size_t>(std::min<std::uint64_t>(kReadAtOnce, size_ - next)));
    read_exactly(file_, path_, next, std::as_writable_bytes(std::span(text).subspan(had)));
    next += text.size() - had;
    std::size_t from = 0;
    for (std::size_t line_end = 0; (line_end = text.find('\n', from)) != std::string::npos;
         from = line_end + 1) {
      if (!skipping) {
        if (first + from >= end) return rows;
        take(std::string_view(text).substr(from, line_end - from), first + from);
      }
      skipping = false;
    }
    text.erase(0, from);
    first += from;
    if (!skipping && first >= end) return rows;
  }
  if (!text.empty() && !skipping) fail_line(first, "the last line has no end");
  return rows;
}

std::vector<KeptRow> Manifest::read_kept(const comm::Communicator& comm, bool with_dropped) const {
  std::string mine;
  comm.together([&] {
    const auto ranks = static_cast<std::uint64_t>(comm.size());
    const auto rank = static_cast<std::uint64_t>(comm.rank());
    // In an order that does not overflow.
    const auto place = [&](std::uint64_t part) {
      return size_ / ranks * part + size_ % ranks * part / ranks;
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
