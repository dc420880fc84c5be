#include "exports/tar_shard.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/stop_signal.h"
#include "exports/file_io.h"
#include "exports/sample_order.h"
#include "exports/sample_reader.h"
#include "exports/tar_format.h"
#include "exports/temporary_file.h"
#include "image/exif_tags.h"

namespace quasar::exports {
namespace {

/// What a rank remembers of folders and tars.
constexpr std::uint64_t kListings = std::uint64_t{256} << 20U;
/// Bytes after which the disk is asked to begin.
constexpr std::uint64_t kSyncedAtOnce = std::uint64_t{64} << 20U;
/// Written and read at once at most, but for pictures.
constexpr std::uint64_t kCopiedAtOnce = std::uint64_t{4} << 20U;

class Md5 {
 public:
  Md5() : context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr || EVP_DigestInit_ex(context_, EVP_md5(), nullptr) != 1)
      base::fail(base::ExitCode::kInternal, "OpenSSL has no MD5, which wids' index.json wants");
  }
  ~Md5() { EVP_MD_CTX_free(context_); }
  Md5(const Md5&) = delete;
  Md5& operator=(const Md5&) = delete;

  void update(std::span<const std::byte> bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }
  std::string hex_digest() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    EVP_DigestFinal_ex(context_, digest.data(), &length);
    std::string text;
    for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest.at(i));
    return text;
  }

 private:
  EVP_MD_CTX* context_;
};

}  // namespace

struct TarShards::PlacedSample {
  PlannedSample sample;
  std::string key;
  std::uint64_t place = 0;
  std::uint64_t size = 0;  ///< Headers and padding included.
  std::optional<LeftOut> left_out;
  std::string sha256;  ///< Of the picture, where a table is wanted; empty otherwise.
  std::string exif;    ///< Its EXIF as JSON, likewise.
};

namespace {

using PlacedSample = TarShards::PlacedSample;

/// An object of texts, as img2dataset has it: "{}" of a picture without EXIF.
std::string exif_json(std::span<const std::byte> picture) {
  auto tags = nlohmann::ordered_json::object();
  for (auto& [name, value] : image::exif_tags(picture)) tags[name] = std::move(value);
  return tags.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string header_of(const std::string& key, const PlannedFile& file) {
  return tar_header(key + "." + file.extension, file.size);
}

/// Writes a tar from what is planned.
class TarWriter {
 public:
  TarWriter(std::vector<PlacedSample>& samples, std::span<const std::size_t> reading_order,
            std::uint64_t max_file_bytes, bool with_table, const std::filesystem::path& path)
      : samples_(samples),
        order_(reading_order),
        reader_(pointers(), max_file_bytes),
        with_table_(with_table),
        tar_(path) {}

  /// Size and MD5 of the file.
  void write(ShardRecord& record, const std::function<void()>& done) {
    for (std::size_t i = 0; i < order_.size(); ++i) {
      base::end_if_stopped();
      auto& placed = samples_[order_[i]];
      placed.left_out = write_sample(i, placed);
      done();
    }
    const std::uint64_t end = close_gaps();
    record.bytes = end + kTarEnd;
    tar_.end_at(end);
    tar_.end_at(record.bytes);
    tar_.begin_sync();
    record.md5 = md5(record.bytes);
    tar_.publish();
  }

 private:
  std::vector<const PlannedSample*> pointers() const {
    std::vector<const PlannedSample*> all;
    for (const auto index : order_) all.push_back(&samples_[index].sample);
    return all;
  }

  std::optional<LeftOut> write_sample(std::size_t index, PlacedSample& placed) {
    used_ = 0;
    place_ = placed.place;
    for (const auto& file : placed.sample.files) {
      add_text(header_of(placed.key, file));
      if (file.kind == PlannedFile::Kind::kPicture) {
        const auto bytes = room(file.size);
        if (auto left_out = reader_.read_picture(index, bytes)) return left_out;
        if (with_table_) {
          placed.sha256 = base::sha256_hex(bytes);
          placed.exif = exif_json(bytes);
        }
      } else if (file.kind == PlannedFile::Kind::kText) {
        add_text(file.text);
      } else {
        for (std::uint64_t from = 0; from < file.size; from += kCopiedAtOnce) {
          const auto count = std::min(kCopiedAtOnce, file.size - from);
          if (auto left_out = reader_.read_copied(index, file, from, room(count))) return left_out;
          if (used_ > kCopiedAtOnce) flush();
        }
      }
      const auto padding = room(padded(file.size) - file.size);
      std::fill(padding.begin(), padding.end(), std::byte{0});
    }
    flush();
    return std::nullopt;
  }

  /// The next bytes to be written.
  std::span<std::byte> room(std::uint64_t bytes) {
    const auto begin = used_;
    used_ += static_cast<std::size_t>(bytes);
    if (buffer_.size() < used_) buffer_.resize(used_);
    return std::span(buffer_).subspan(begin, static_cast<std::size_t>(bytes));
  }
  void add_text(std::string_view text) {
    const auto to = room(text.size());
    if (!text.empty()) std::memcpy(to.data(), text.data(), text.size());
  }
  void flush() {
    write_at(tar_.file(), tar_.path(), place_, std::span<const std::byte>(buffer_).first(used_));
    place_ += used_;
    unsynced_ += used_;
    used_ = 0;
    // The disk writes while more is read, and while the MD5 is made.
    if (unsynced_ >= kSyncedAtOnce) {
      tar_.begin_sync();
      unsynced_ = 0;
    }
    base::note_activity();
  }

  /// Moves samples over the places of those that were left out. Returns the end of the last.
  std::uint64_t close_gaps() {
    std::uint64_t end = 0;
    for (const auto& placed : samples_) {
      if (placed.left_out) continue;
      for (std::uint64_t from = 0; placed.place != end && from < placed.size; from += kCopiedAtOnce) {
        used_ = 0;
        const auto bytes = room(std::min(kCopiedAtOnce, placed.size - from));
        read_exactly(tar_.file(), tar_.path(), placed.place + from, bytes);
        write_at(tar_.file(), tar_.path(), end + from, bytes);
      }
      end += placed.size;
    }
    return end;
  }

  std::string md5(std::uint64_t size) {
    Md5 sum;
    for (std::uint64_t from = 0; from < size; from += kCopiedAtOnce) {
      used_ = 0;
      const auto bytes = room(std::min(kCopiedAtOnce, size - from));
      read_exactly(tar_.file(), tar_.path(), from, bytes);
      sum.update(bytes);
      base::note_activity();
    }
    return sum.hex_digest();
  }

  std::vector<PlacedSample>& samples_;
  std::span<const std::size_t> order_;
  SampleReader reader_;
  bool with_table_;
  TemporaryFile tar_;
  std::vector<std::byte> buffer_;  // Kept at its largest, as fresh memory is filled with zeros.
  std::size_t used_ = 0;
  std::uint64_t place_ = 0;  // Of the buffer's first byte in the tar.
  std::uint64_t unsynced_ = 0;
};

/// As img2dataset writes it, without times, which differ from start to start.
std::string stats_json(const ShardRecord& record) {
  nlohmann::ordered_json statuses = {{"success", record.samples}};
  for (const auto& row : record.left_out) {
    auto& count = statuses[row.status];
    count = count.is_null() ? 1 : count.get<std::uint64_t>() + 1;
  }
  const nlohmann::ordered_json stats = {{"count", record.rows},
                                        {"successes", record.samples},
                                        {"failed_to_download", record.rows - record.samples},
                                        {"failed_to_resize", 0},
                                        {"status_dict", statuses}};
  return stats.dump(4) + "\n";
}

}  // namespace

TarShards::TarShards(const ExportConfig& config, const ExportInput& input, const Manifest& manifest)
    : config_(config),
      input_(input),
      manifest_(manifest),
      layout_(config.folder),
      files_(input.corpus, kListings) {
  if (config.with_parquet) table_.emplace(input.corpus);
}

ShardRecord TarShards::write(std::uint64_t shard, std::span<const KeptRow> rows,
                             const std::function<void()>& done) {
  ShardRecord record;
  record.rows = rows.size();
  auto lines = read_lines(manifest_, rows);
  const auto order = reading_order(lines);
  std::vector<PlacedSample> samples(rows.size());
  for (const auto index : order) {
    auto& placed = samples[index];
    placed.sample = plan_sample(lines[index], config_, files_, record.notes);
    lines[index] = {};
    placed.key = sample_key(config_, shard, index);
    for (const auto& file : placed.sample.files)
      placed.size += header_of(placed.key, file).size() + padded(file.size);
    base::note_activity();
  }
  std::uint64_t place = 0;
  for (auto& placed : samples) placed.place = std::exchange(place, place + placed.size);
  TarWriter(samples, order, input_.max_file_bytes, config_.with_parquet, layout_.shard(shard, ".tar"))
      .write(record, done);
  if (table_) write_table(shard, rows, samples);
  for (auto& placed : samples) {
    if (placed.left_out) record.left_out.push_back(*std::move(placed.left_out));
  }
  record.samples = record.rows - record.left_out.size();
  base::write_file_atomically(layout_.shard(shard, "_stats.json"), stats_json(record));
  return record;
}

void TarShards::write_table(std::uint64_t shard, std::span<const KeptRow> rows,
                            std::span<const PlacedSample> samples) {
  TableRows table(layout_.state() / fmt::format("{:05}.jsonl", shard));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto line = manifest_.read(rows[i].offset, rows[i].length);
    const auto& placed = samples[i];
    auto row = table_->fields_of(line);
    row["key"] = placed.key;
    row["status"] = placed.left_out ? placed.left_out->status : "success";
    row["error_message"] = placed.left_out ? nlohmann::ordered_json(placed.left_out->error) : nullptr;
    for (const char* const side : {"width", "height"}) {
      row[side] = line.columns.value(side, 0);
      row[std::string("original_") + side] = row[side];
    }
    row["exif"] = row["sha256"] = nullptr;
    if (!placed.left_out) {
      row["exif"] = placed.exif;
      row["sha256"] = placed.sha256;
    }
    table.add(row);
  }
  table_->write(table, layout_.shard(shard, ".parquet"));
}

bool TarShards::is_there(std::uint64_t shard, const ShardRecord& record) const {
  std::error_code error;
  const auto size = std::filesystem::file_size(layout_.shard(shard, ".tar"), error);
  return !error && size == record.bytes &&
         std::filesystem::exists(layout_.shard(shard, "_stats.json"), error);
}

void TarShards::finish(const std::vector<ShardRecord>& records) const {
  nlohmann::ordered_json index = {{"__kind__", "wids-shard-index-v1"},
                                  {"wids_version", 1},
                                  {"name", config_.name},
                                  {"shardlist", nlohmann::ordered_json::array()}};
  for (std::uint64_t shard = 0; shard < records.size(); ++shard) {
    const auto& record = records[shard];
    index["shardlist"].push_back({{"url", layout_.shard(shard, ".tar").filename().string()},
                                  {"nsamples", record.samples},
                                  {"md5sum", record.md5},
                                  {"filesize", record.bytes}});
  }
  base::write_file_atomically(layout_.folder() / "index.json", index.dump(2) + "\n");
}

}  // namespace quasar::exports
