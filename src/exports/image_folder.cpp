#include "exports/image_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/stop_signal.h"
#include "exports/file_io.h"
#include "exports/sample_json.h"
#include "exports/sample_order.h"
#include "exports/sample_plan.h"
#include "exports/sample_reader.h"
#include "exports/tables.h"

namespace quasar::exports {
namespace {

/// A folder that goes away with the object unless it is published.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    base::make_directories(folder_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }

  /// Has all of it on disk, then gives it its name, in the place of what had it.
  void publish(const std::filesystem::path& name) const {
    const auto descriptor = open_for_reading(folder_);
    // Of the whole file system at once: a sync for each of many small files costs more than the files.
    std::error_code error;
    if (::syncfs(descriptor.number()) != 0) error.assign(errno, std::generic_category());
    if (!error) std::filesystem::remove_all(name, error);
    if (!error) std::filesystem::rename(folder_, name, error);
    if (error)
      base::fail(base::ExitCode::kOutput,
                 "cannot write " + name.string() + ": " + base::describe_errno(error.value()));
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace

ImageFolder::ImageFolder(const ExportConfig& config, const ExportInput& input, const Manifest& manifest)
    : config_(config),
      input_(input),
      manifest_(manifest),
      layout_(config.folder),
      fields_(named_fields(input.corpus)) {}

ShardRecord ImageFolder::write(std::uint64_t shard, std::span<const KeptRow> rows,
                               const std::function<void()>& done) {
  ShardRecord record;
  record.rows = rows.size();
  auto lines = read_lines(manifest_, rows);
  const auto order = reading_order(lines);
  std::vector<PlannedSample> samples(rows.size());
  std::vector<const PlannedSample*> in_order;
  SampleFiles files(input_.corpus, 0);
  for (const auto index : order) {
    samples[index] = plan_sample(lines[index], config_, files, record.notes);
    in_order.push_back(&samples[index]);
  }
  SampleReader reader(in_order, input_.max_file_bytes);
  const auto name = layout_.shard(shard, "").filename();
  const TemporaryFolder folder(base::temporary_name(layout_.state() / name));
  std::vector<std::optional<LeftOut>> left_out(rows.size());
  std::vector<std::byte> bytes;
  const auto file_name = [&](std::size_t index) {
    return sample_key(config_, shard, index) + "." + samples[index].files.front().extension;
  };
  for (std::size_t i = 0; i < order.size(); ++i) {
    base::end_if_stopped();
    const auto index = order[i];
    bytes.resize(static_cast<std::size_t>(samples[index].files.front().size));
    left_out[index] = reader.read_picture(i, bytes);
    if (!left_out[index]) {
      const auto path = folder.path() / file_name(index);
      auto file = create_file(path);
      write_at(file, path, 0, bytes);
      if (const int error = file.close(); error != 0)
        base::fail(base::ExitCode::kOutput,
                   "cannot write " + path.string() + ": " + base::describe_errno(error));
      record.bytes += bytes.size();
    }
    done();
  }
  std::string metadata;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (left_out[i]) {
      record.left_out.push_back(*std::move(left_out[i]));
      continue;
    }
    nlohmann::ordered_json row = {{"file_name", (name / file_name(i)).string()}};
    row.update(row_object(lines[i]));
    const auto fields = lines[i].columns.find("fields");
    const bool has_fields = fields != lines[i].columns.end() && fields->is_object();
    // The same columns in every row, which is what datasets wants.
    for (const auto& field : fields_) {
      const auto column = row.contains(field) ? "fields." + field : field;
      row[column] = has_fields && fields->contains(field) ? fields->at(field) : nlohmann::ordered_json("");
    }
    metadata += row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  record.samples = record.rows - record.left_out.size();
  folder.publish(layout_.shard(shard, ""));
  base::write_file_atomically(layout_.part(shard), metadata);
  return record;
}

bool ImageFolder::is_there(std::uint64_t shard, const ShardRecord& /*record*/) const {
  std::error_code error;
  return std::filesystem::is_directory(layout_.shard(shard, ""), error) &&
         std::filesystem::is_regular_file(layout_.part(shard), error);
}

void ImageFolder::finish(const std::vector<ShardRecord>& records) const {
  join_parts(layout_, records.size(), layout_.folder() / "metadata.jsonl");
}

}  // namespace quasar::exports
