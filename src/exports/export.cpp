#include "exports/export.h"

#include <fmt/format.h>

#include <optional>
#include <span>
#include <utility>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/await_file.h"
#include "base/errors.h"
#include "base/file_lock.h"
#include "base/logging.h"
#include "base/packer.h"
#include "base/progress.h"
#include "base/unpacker.h"
#include "exports/assignment.h"
#include "exports/export_record.h"
#include "exports/file_io.h"
#include "exports/shard_format.h"
#include "pass/run_pass.h"

namespace quasar::exports {
namespace {

class Export {
 public:
  Export(const ExportConfig& config, const ExportInput& input, RetryLeftOut retry,
         const comm::Communicator& comm)
      : config_(config), input_(input), retry_(retry), comm_(comm), layout_(config.folder) {}

  ExportResult run() {
    const base::Phase phase("export " + config_.name);
    comm_.together([&] { manifest_.emplace(input_.run); });
    comm_.on_root([&] { begin(); });
    comm_.together([&] { format_ = make_format(config_, input_, *manifest_); });
    assign_rows();
    find_pending();
    write_shards();
    comm_.on_root([&] { finish(); });
    share_result();
    return std::move(result_);
  }

 private:
  /// Makes the folder this export's, and this job the only one in it.
  void begin() {
    // Before anything is written into it.
    check_folder(layout_);
    base::make_directories(layout_.state());
    lock_.emplace(layout_.lock(),
                  layout_.folder().string() +
                      " is being written by another job; wait for its end and start this one again");
    claim_folder(layout_, manifest_->xxh128(), config_.settings);
    base::remove_stale_temporaries(layout_.folder());
    base::remove_stale_temporaries(layout_.state());
    base::remove_stale_temporaries(layout_.vectors());
    base::remove_stale_temporaries(layout_.metadata());
    // Folders in which a killed job had begun shards: under the lock nobody works in them.
    std::vector<std::filesystem::path> unfinished;
    for (const auto& entry : std::filesystem::directory_iterator(layout_.state())) {
      if (entry.is_directory()) unfinished.push_back(entry.path());
    }
    std::error_code ignored;
    for (const auto& folder : unfinished) std::filesystem::remove_all(folder, ignored);
  }

  /// Cuts the kept rows into shards; they wait in a file, in order.
  void assign_rows() {
    auto rows = manifest_->read_kept(comm_, config_.format == Format::kParquet && config_.with_dropped);
    comm_.on_root([&] {
      if (rows.empty())
        base::fail(base::ExitCode::kNoResult, "export " + config_.name +
                                                  ": the ranking keeps no row (summary.json "
                                                  "has the reasons)");
      shards_ = assign(config_, rows);
      base::AtomicFile file(layout_.rows());
      file.write(std::as_bytes(std::span(rows)));
      file.commit();
      rows_ = rows.size();
    });
    comm_.broadcast(shards_);
    comm_.broadcast(std::as_writable_bytes(std::span(&rows_, 1)));
  }

  void find_pending() {
    comm_.on_root([&] {
      for (std::uint64_t shard = 0; shard < shards_.size(); ++shard) {
        const auto record = read_record(layout_, shard);
        const bool finished = record && record->rows == shards_[shard].count &&
                              format_->is_there(shard, *record) &&
                              (retry_ == RetryLeftOut::kNo || record->left_out.empty());
        if (!finished) {
          pending_.push_back(shard);
        } else {
          done_before_ += shards_[shard].count;
        }
      }
    });
    comm_.broadcast(pending_);
    if (comm_.is_root()) {
      base::log_info("export {}: {} kept, {}, of which {} are there already, into {}", config_.name,
                     base::counted(rows_, "row"), base::counted(shards_.size(), "shard"),
                     base::with_thousands(shards_.size() - pending_.size()), layout_.folder().string());
    }
  }

  std::vector<KeptRow> rows_of(const RowSpan& shard, const base::Descriptor& file) const {
    std::vector<KeptRow> rows(shard.count);
    read_exactly(file, layout_.rows(), shard.first * sizeof(KeptRow),
                 std::as_writable_bytes(std::span(rows)));
    return rows;
  }

  void write_shards() {
    pass::PassJob job;
    job.name = "export " + config_.name;
    job.unit = "samples";
    job.shards = pending_.size();
    job.total = rows_;
    job.done_before = done_before_;
    pass::run_pass(job, comm_, [&](pass::ShardFeed& feed) {
      base::Descriptor file;
      while (const auto place = feed.next()) {
        if (!file.is_open()) {
          base::await_file(layout_.rows(), [&] {
            std::error_code error;
            return std::filesystem::file_size(layout_.rows(), error) == rows_ * sizeof(KeptRow) && !error;
          });
          file = open_for_reading(layout_.rows());
        }
        const auto shard = pending_.at(*place);
        const auto rows = rows_of(shards_[shard], file);
        write_record(layout_, shard, format_->write(shard, rows, [&] { feed.add_done(1); }));
      }
    });
  }

  void finish() {
    lock_->confirm();
    std::vector<ShardRecord> records;
    std::string left_out;
    for (std::uint64_t shard = 0; shard < shards_.size(); ++shard) {
      std::optional<ShardRecord> record;
      // Another host may have written it a moment ago.
      base::await_file(layout_.record(shard), [&] {
        record = read_record(layout_, shard);
        return record && format_->is_there(shard, *record);
      });
      result_.samples += record->samples;
      for (const auto& [note, count] : record->notes) result_.notes[note] += count;
      for (const auto& row : record->left_out) {
        ++result_.left_out[row.status];
        const nlohmann::ordered_json line = {{"shard", shard},
                                             {"id", row.id},
                                             {"source", row.source},
                                             {"status", row.status},
                                             {"error", row.error}};
        left_out += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
      }
      records.push_back(*std::move(record));
    }
    format_->finish(records);
    std::error_code ignored;
    if (left_out.empty()) {
      std::filesystem::remove(layout_.left_out(), ignored);
    } else {
      base::write_file_atomically(layout_.left_out(), left_out);
    }
    std::filesystem::remove(layout_.rows(), ignored);
    lock_.reset();
  }

  void share_result() {
    std::string text;
    if (comm_.is_root()) {
      base::pack(result_.samples, text);
      for (const auto* counts : {&result_.left_out, &result_.notes}) {
        base::pack(static_cast<std::uint64_t>(counts->size()), text);
        for (const auto& [kind, count] : *counts) {
          base::pack_text(kind, text);
          base::pack(count, text);
        }
      }
    }
    comm_.broadcast(text);
    base::Unpacker unpacker(text, "the result of an export");
    result_ = {};
    result_.samples = unpacker.take<std::uint64_t>();
    for (auto* counts : {&result_.left_out, &result_.notes}) {
      for (auto left = unpacker.take<std::uint64_t>(); left > 0; --left) {
        auto kind = unpacker.take_text();
        (*counts)[std::string(kind)] = unpacker.take<std::uint64_t>();
      }
    }
    result_.rows = rows_;
    result_.shards = shards_.size();
    result_.left_out_file = layout_.left_out();
  }

  const ExportConfig& config_;
  const ExportInput& input_;
  RetryLeftOut retry_;
  const comm::Communicator& comm_;
  ExportLayout layout_;
  std::optional<Manifest> manifest_;
  std::optional<base::FileLock> lock_;  ///< On root.
  std::unique_ptr<ShardFormat> format_;
  std::vector<RowSpan> shards_;
  std::vector<std::uint64_t> pending_;  ///< Numbers of shards.
  std::uint64_t rows_ = 0;
  std::uint64_t done_before_ = 0;
  ExportResult result_;
};

}  // namespace

ExportResult write_export(const ExportConfig& config, const ExportInput& input, RetryLeftOut retry,
                          const comm::Communicator& comm) {
  return Export(config, input, retry, comm).run();
}

}  // namespace quasar::exports
