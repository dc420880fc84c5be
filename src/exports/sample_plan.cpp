#include "exports/sample_plan.h"

#include <set>
#include <span>

#include "base/errors.h"
#include "corpus/sources/tar_reader.h"
#include "corpus/sources/tar_samples.h"
#include "exports/sample_json.h"

namespace quasar::exports {
namespace {

/// Larger .json are copied as they are.
constexpr std::uint64_t kMaxJson = std::uint64_t{16} << 20U;
constexpr const char* kNoObject =
    ".json that are no JSON object, copied as they are, with the row in .quasar.json";

/// What a picture's file is called by its content, or by its name where the run has not recorded it.
std::string content_extension(const ManifestLine& line, const std::string& own) {
  if (line.format == "jpeg") return "jpg";
  if (!line.format.empty()) return line.format;
  const auto dot = own.rfind('.');
  const auto last = dot == std::string::npos ? own : own.substr(dot + 1);
  return last.empty() ? "jpg" : last;
}

std::string picture_extension(const ManifestLine& line, Extension wanted) {
  const auto own = corpus::sample_name(picture_name(line.item)).extension;
  if (wanted == Extension::kJpg) return "jpg";
  if (wanted == Extension::kKept && !own.empty()) return own;
  return content_extension(line, own);
}

/// The bytes of a file that is there in whole, and small enough.
std::optional<std::string> text_of(const SampleFile& file) {
  if (file.size > kMaxJson) return std::nullopt;
  try {
    const auto input = corpus::open_tar(file.file);
    std::string text(file.size, '\0');
    if (input->read(file.offset, std::as_writable_bytes(std::span(text))) != text.size()) return std::nullopt;
    return text;
  } catch (const base::Error&) {
    return std::nullopt;
  }
}

}  // namespace

PlannedSample plan_sample(const ManifestLine& line, const ExportConfig& config, SampleFiles& files,
                          Notes& notes) {
  PlannedSample sample{line.item, line.hash, {}};
  std::set<std::string> taken;
  const auto add = [&](PlannedFile file) {
    // Two files of one name would be two samples to some readers, and one file to others.
    while (!taken.insert(file.extension).second) file.extension = "other." + file.extension;
    sample.files.push_back(std::move(file));
  };
  add({PlannedFile::Kind::kPicture, picture_extension(line, config.extension), line.item.size, {}, {}});
  std::vector<SampleFile> found;
  if (config.members == Members::kAll) found = files.find(line.item, notes);
  std::optional<std::string> json;
  bool has_json = false;
  std::set<std::string> own_names;
  for (const auto& file : found) own_names.insert(file.extension);
  for (auto& file : found) {
    // The short name, unless a file of the whole sample has it.
    const bool shortened = config.extension != Extension::kKept && file.plain != file.extension &&
                           !own_names.contains(file.plain);
    std::string extension = shortened ? file.plain : file.extension;
    if (extension == "json" && !has_json) {
      has_json = true;
      json = text_of(file);
      if (json) json = sample_json(line, json);
      if (json) continue;
      ++notes[kNoObject];
    }
    const auto size = file.size;
    add({PlannedFile::Kind::kCopied, std::move(extension), size, std::move(file), {}});
  }
  const bool broken = has_json && !json;
  if (!json) json = sample_json(line, std::nullopt).value();
  add({PlannedFile::Kind::kText, broken ? "quasar.json" : "json", json->size(), {}, *std::move(json)});
  return sample;
}

}  // namespace quasar::exports
