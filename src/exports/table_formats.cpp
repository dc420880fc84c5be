#include "exports/table_formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/stop_signal.h"
#include "exports/file_io.h"
#include "store/embedding_shard.h"
#include "store/half.h"
#include "store/npy.h"

namespace quasar::exports {
namespace {

/// Adds the rows of a shard to what becomes its table.
void add_rows(const ManifestTable& table, const Manifest& manifest, std::span<const KeptRow> rows,
              const std::function<void()>& done, TableRows& into) {
  for (const auto& row : rows) {
    base::end_if_stopped();
    into.add(table.row_of(manifest.read(row.offset, row.length)));
    done();
  }
}

bool is_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

/// Rows of embedding shards by their places in the plan, ascending.
class VectorReader {
 public:
  explicit VectorReader(const ExportInput& input) : input_(input) {}

  /// Number of values of the row at `number`, whose shard is opened.
  std::size_t dimension_at(std::uint64_t number) {
    open(number);
    return static_cast<std::size_t>(reader_->header().dimension);
  }
  /// Reads it.
  void read(std::uint64_t number, std::span<float> vector) {
    open(number);
    const auto row = number - input_.shard_first[shard_];
    if (row < first_ || row >= first_ + count_) {
      first_ = row;
      count_ = std::min<std::size_t>(kRows, reader_->size() - row);
      block_.resize(count_ * vector.size());
      reader_->read_embeddings(first_, count_, block_);
    }
    const auto from = std::span(block_).subspan((row - first_) * vector.size(), vector.size());
    std::copy(from.begin(), from.end(), vector.begin());
  }

 private:
  static constexpr std::size_t kRows = 1024;

  void open(std::uint64_t number) {
    const auto after = std::upper_bound(input_.shard_first.begin(), input_.shard_first.end(), number);
    QUASAR_CHECK(after != input_.shard_first.begin());
    const auto shard = static_cast<std::size_t>(after - input_.shard_first.begin()) - 1;
    if (reader_ && shard == shard_) return;
    shard_ = shard;
    reader_.reset();
    reader_.emplace(input_.shards.at(shard));
    first_ = count_ = 0;
    if (number - input_.shard_first[shard] >= reader_->size()) {
      base::fail(base::ExitCode::kMismatch,
                 fmt::format("{} has no row {} of the manifest; run \"quasar rank\" again",
                             input_.shards[shard].string(), number));
    }
  }

  const ExportInput& input_;
  std::size_t shard_ = 0;
  std::optional<store::EmbeddingShardReader> reader_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::vector<float> block_;
};

}  // namespace

ShardRecord ManifestTables::write(std::uint64_t shard, std::span<const KeptRow> rows,
                                  const std::function<void()>& done) {
  ShardRecord record;
  record.rows = record.samples = rows.size();
  TableRows table(layout_.state() / fmt::format("{:05}.jsonl", shard));
  add_rows(table_, manifest_, rows, done, table);
  const auto path = layout_.shard(shard, ".parquet");
  table_.write(table, path);
  record.bytes = std::filesystem::file_size(path);
  return record;
}

bool ManifestTables::is_there(std::uint64_t shard, const ShardRecord& record) const {
  std::error_code error;
  return std::filesystem::file_size(layout_.shard(shard, ".parquet"), error) == record.bytes && !error;
}

std::filesystem::path EmbeddingTables::vectors(std::uint64_t shard) const {
  return layout_.vectors() / fmt::format("img_emb_{}.npy", shard);
}

std::filesystem::path EmbeddingTables::metadata(std::uint64_t shard) const {
  return layout_.metadata() / fmt::format("metadata_{}.parquet", shard);
}

ShardRecord EmbeddingTables::write(std::uint64_t shard, std::span<const KeptRow> rows,
                                   const std::function<void()>& done) {
  ShardRecord record;
  record.rows = record.samples = rows.size();
  base::make_directories(vectors(shard).parent_path());
  base::make_directories(metadata(shard).parent_path());
  VectorReader reader(input_);
  const std::size_t dimension = reader.dimension_at(rows.front().row);
  const auto header =
      store::npy_header(config_.half ? "'<f2'" : "'<f4'", fmt::format("({}, {})", rows.size(), dimension));
  base::AtomicFile file(vectors(shard));
  file.write(header);
  std::vector<float> vector(dimension);
  std::vector<std::uint16_t> halves(dimension);
  for (const auto& row : rows) {
    base::end_if_stopped();
    if (reader.dimension_at(row.row) != dimension)
      base::fail(base::ExitCode::kMismatch, "the run's embeddings differ in their dimensions");
    reader.read(row.row, vector);
    if (config_.half) {
      std::transform(vector.begin(), vector.end(), halves.begin(), store::to_half);
      file.write(std::as_bytes(std::span(halves)));
    } else {
      file.write(std::as_bytes(std::span(vector)));
    }
  }
  file.commit();
  record.bytes = std::filesystem::file_size(vectors(shard));
  TableRows table(layout_.state() / fmt::format("{:05}.jsonl", shard));
  add_rows(table_, manifest_, rows, done, table);
  table_.write(table, metadata(shard));
  return record;
}

bool EmbeddingTables::is_there(std::uint64_t shard, const ShardRecord& record) const {
  std::error_code error;
  return std::filesystem::file_size(vectors(shard), error) == record.bytes && !error &&
         is_file(metadata(shard));
}

}  // namespace quasar::exports
