#include "exports/export_record.h"

#include <fmt/format.h>

#include <sstream>

#include "base/atomic_file.h"
#include "base/errors.h"

namespace quasar::exports {
namespace {

constexpr int kSchema = 1;

std::string text_of(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// The first line in which two texts differ, for a message.
std::string difference(const std::string& before, const std::string& now) {
  std::istringstream first(before);
  std::istringstream second(now);
  std::string was;
  std::string is;
  do {
    was.clear();
    is.clear();
    std::getline(first, was);
    std::getline(second, is);
  } while (was == is && !(was.empty() && is.empty()));
  return fmt::format("\"{}\" there, \"{}\" now", was.empty() ? "nothing" : was, is.empty() ? "nothing" : is);
}

}  // namespace

std::filesystem::path ExportLayout::record(std::uint64_t shard) const {
  return state() / fmt::format("{:05}.json", shard);
}

std::filesystem::path ExportLayout::part(std::uint64_t shard) const {
  return state() / fmt::format("{:05}.part", shard);
}

std::filesystem::path ExportLayout::shard(std::uint64_t shard, const std::string& ending) const {
  return folder_ / fmt::format("{:05}{}", shard, ending);
}

void check_folder(const ExportLayout& layout) {
  if (!std::filesystem::is_directory(layout.folder()) || std::filesystem::exists(layout.identity())) return;
  for (const auto& entry : std::filesystem::directory_iterator(layout.folder())) {
    if (entry.path() == layout.state()) continue;
    base::fail(
        base::ExitCode::kMismatch,
        fmt::format("{} holds {}, which no export has written; name an empty folder, or one that is not "
                    "there yet",
                    layout.folder().string(), entry.path().filename().string()));
  }
}

void claim_folder(const ExportLayout& layout, const std::string& manifest_xxh128,
                  const std::string& settings) {
  const auto folder = layout.folder().string();
  if (!std::filesystem::exists(layout.identity())) {
    check_folder(layout);
    const nlohmann::ordered_json identity = {
        {"schema_version", kSchema}, {"manifest_xxh128", manifest_xxh128}, {"settings", settings}};
    base::write_file_atomically(layout.identity(), text_of(identity));
    return;
  }
  const auto found = nlohmann::json::parse(base::read_file(layout.identity()), nullptr, false);
  const auto another = [&](const std::string& why) {
    base::fail(base::ExitCode::kMismatch,
               fmt::format("{} holds an export {}; name another folder, or remove this one", folder, why));
  };
  if (!found.is_object() || !found.contains("schema_version") || found["schema_version"] != kSchema)
    another("that this version did not write, or whose .quasar/export.json is damaged");
  const auto told = [&](const char* key) {
    const auto value = found.find(key);
    return value != found.end() && value->is_string() ? value->get<std::string>() : std::string();
  };
  if (told("settings") != settings) another("by other settings: " + difference(told("settings"), settings));
  if (told("manifest_xxh128") != manifest_xxh128)
    another("of another manifest (the run was ranked again since)");
}

void write_record(const ExportLayout& layout, std::uint64_t shard, const ShardRecord& record) {
  nlohmann::ordered_json json = {{"rows", record.rows},
                                 {"samples", record.samples},
                                 {"bytes", record.bytes},
                                 {"md5", record.md5},
                                 {"left_out", nlohmann::ordered_json::array()},
                                 {"notes", record.notes}};
  for (const auto& row : record.left_out) {
    json["left_out"].push_back(
        {{"id", row.id}, {"source", row.source}, {"status", row.status}, {"error", row.error}});
  }
  base::write_file_atomically(layout.record(shard), text_of(json));
}

std::optional<ShardRecord> read_record(const ExportLayout& layout, std::uint64_t shard) {
  if (!std::filesystem::exists(layout.record(shard))) return std::nullopt;
  try {
    const auto json = nlohmann::json::parse(base::read_file(layout.record(shard)));
    ShardRecord record;
    record.rows = json.at("rows").get<std::uint64_t>();
    record.samples = json.at("samples").get<std::uint64_t>();
    record.bytes = json.at("bytes").get<std::uint64_t>();
    record.md5 = json.at("md5").get<std::string>();
    record.notes = json.at("notes").get<Notes>();
    for (const auto& row : json.at("left_out")) {
      record.left_out.push_back({row.at("id").get<std::string>(), row.at("source").get<std::string>(),
                                 row.at("status").get<std::string>(), row.at("error").get<std::string>()});
    }
    return record;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace quasar::exports
