#include "curation/outside_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <span>
#include <string>
#include <utility>

#include "base/activity.h"
#include "base/errors.h"
#include "corpus/plan.h"
#include "curation/hash_line.h"
#include "curation/row_vectors.h"
#include "store/embedding_shard.h"
#include "store/run_layout.h"

namespace quasar::curation {
namespace {

constexpr std::uint64_t kLinesAtOnce = 65536;
constexpr std::size_t kRowsAtOnce = 4096;

/// What is read at once: a shard of a run, by its place, or lines of a file.
struct Part {
  std::size_t set = 0;
  std::size_t shard = 0;
  std::uint64_t first_line = 0;
};

std::ifstream open(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) base::fail(base::ExitCode::kInput, "cannot read " + path.string());
  return file;
}

void list_lines(const std::filesystem::path& path, std::size_t set, std::vector<Part>& parts) {
  auto file = open(path);
  std::uint64_t lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    if (lines % kLinesAtOnce == 0) parts.push_back({set, 0, lines});
  }
}

/// HASH QUALITY PATH.
void take_line(const std::string& line, const std::string& where,
               const std::function<void(const Fingerprint&, std::string_view)>& take) {
  if (line.empty() || line == "\r") return;
  const auto parsed = parse_hash_line(line);
  if (!parsed) {
    base::fail(base::ExitCode::kInput,
               where +
                   ": is no line \"HASH QUALITY PATH\" with 64 lower-case hexadecimal digits and a quality "
                   "from 0 to 100, as \"quasar hash\" prints");
  }
  Fingerprint print;
  print.picture = parsed->picture;
  print.quality = parsed->quality;
  take(print, parsed->path);
}

void read_lines(const std::filesystem::path& path, std::uint64_t first,
                const std::function<void(const Fingerprint&, std::string_view)>& take) {
  auto file = open(path);
  std::string line;
  for (std::uint64_t at = 0; at < first + kLinesAtOnce && std::getline(file, line); ++at) {
    if (at >= first) take_line(line, path.string() + ":" + std::to_string(at + 1), take);
  }
}

/// `vector`: number of the embedding of the shard's first row.
void read_shard(const std::filesystem::path& path, std::uint64_t vector, const DuplicateRule& rule,
                const base::EncoderIdentity& encoder,
                const std::function<void(const Fingerprint&, std::string_view)>& take) {
  const store::EmbeddingShardReader reader(path, store::Integrity::kRows);
  if (rule.cosine) check_outside_encoder(path, reader.header().encoder, encoder);
  for (std::size_t first = 0; first < reader.size(); first += kRowsAtOnce) {
    for (const auto& row : reader.read_rows(first, std::min(kRowsAtOnce, reader.size() - first))) {
      const std::uint64_t number = vector++;
      if (row.status != base::RowStatus::kOk) continue;
      if (rule.perceptual && row.perceptual_quality < 0) {
        base::fail(
            base::ExitCode::kMismatch,
            path.string() + " has no perceptual hash of '" + row.id +
                "': embed that set with embed.perceptual_hash: true, or give its lines of \"quasar hash\"");
      }
      take({row.hash, std::string_view(row.perceptual_hash).substr(0, kPictureDigits), row.perceptual_quality,
            number},
           row.id);
    }
    base::note_activity();
  }
}

/// Embeddings of several runs, one after the other.
class JoinedVectors final : public cluster::RowSource {
 public:
  /// Rows of `input`, whose numbers here are so much higher there. All have as many values.
  void add(const RankInput& input, std::uint64_t offset, std::vector<std::uint64_t> rows) {
    auto& part = parts_.emplace_back(Part{nullptr, offset, size_});
    size_ += static_cast<std::int64_t>(rows.size());
    part.rows = std::make_unique<RowVectors>(input, std::move(rows));
    if (parts_.size() == 1) first_ = input.embeddings.folder();
    if (part.rows->dimension() != dimension()) {
      base::fail(base::ExitCode::kMismatch,
                 fmt::format("{} holds embeddings of {} values, and {} of {}: they cannot be compared",
                             input.embeddings.folder().string(), part.rows->dimension(), first_.string(),
                             dimension()));
    }
  }
  std::size_t dimension() const override { return parts_.front().rows->dimension(); }
  std::int64_t size() const override { return size_; }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    QUASAR_CHECK(first >= 0 && count >= 0 && first + count <= size());
    for (const auto& part : parts_) {
      const std::int64_t begin = std::max(first, part.first);
      const std::int64_t end = std::min(first + count, part.first + part.rows->size());
      if (begin >= end) continue;
      const auto at = static_cast<std::size_t>(begin - first);
      const auto rows = static_cast<std::size_t>(end - begin);
      const auto own = numbers.empty() ? numbers : numbers.subspan(at, rows);
      part.rows->read(begin - part.first, end - begin,
                      values.empty() ? values : values.subspan(at * dimension(), rows * dimension()), own);
      for (auto& number : own) number += static_cast<std::int64_t>(part.offset);
    }
  }

 private:
  struct Part {
    std::unique_ptr<RowVectors> rows;
    std::uint64_t offset = 0;
    std::int64_t first = 0;  ///< Its rows' place among all.
  };
  std::vector<Part> parts_;
  std::int64_t size_ = 0;
  std::filesystem::path first_;
};

}  // namespace

OutsideSets::OutsideSets(const DuplicateRule& rule) : rule_(rule) {
  for (const auto& path : rule.against) {
    auto& set =
        sets_.emplace_back(Set{{store::DataSetLayout(path), store::RunLayout(path), {}, {}}, vectors_});
    if (!std::filesystem::is_directory(path)) continue;
    const auto plan = corpus::Plan::load(path);
    for (const auto& shard : plan.shards()) {
      set.shards.shards.push_back(shard.id);
      set.shards.shard_first.push_back(shard.first);
    }
    vectors_ += plan.item_count();
  }
}

void OutsideSets::for_each(const comm::Communicator& comm, const base::EncoderIdentity& encoder,
                           const Take& take) const {
  std::vector<Part> parts;
  for (std::size_t set = 0; set < sets_.size(); ++set) {
    const auto& shards = sets_[set].shards.shards;
    for (std::size_t shard = 0; shard < shards.size(); ++shard) parts.push_back({set, shard, 0});
    if (!std::filesystem::is_directory(rule_.against[set])) list_lines(rule_.against[set], set, parts);
  }
  const auto rank = static_cast<std::size_t>(comm.rank());
  const auto ranks = static_cast<std::size_t>(comm.size());
  for (std::size_t i = parts.size() * rank / ranks; i < parts.size() * (rank + 1) / ranks; ++i) {
    const auto& part = parts[i];
    const auto& set = sets_[part.set];
    const auto take_row = [&](const Fingerprint& print, std::string_view name) {
      take(part.set, print, name);
    };
    if (set.shards.shards.empty()) {
      read_lines(rule_.against[part.set], part.first_line, take_row);
    } else {
      read_shard(set.shards.embeddings.shard(set.shards.shards[part.shard]),
                 set.vectors + set.shards.shard_first[part.shard], rule_, encoder, take_row);
    }
  }
}

std::unique_ptr<cluster::RowSource> OutsideSets::open_vectors(const RankInput& own,
                                                              std::vector<std::uint64_t> numbers) const {
  auto joined = std::make_unique<JoinedVectors>();
  auto at = numbers.begin();
  const auto rows_below = [&](std::uint64_t end, std::uint64_t offset) {
    const auto to = std::lower_bound(at, numbers.end(), end);
    std::vector<std::uint64_t> rows(at, to);
    for (auto& row : rows) row -= offset;
    at = to;
    return rows;
  };
  std::vector<std::vector<std::uint64_t>> of_sets;
  for (std::size_t set = 0; set < sets_.size(); ++set) {
    const std::uint64_t end = set + 1 < sets_.size() ? sets_[set + 1].vectors : vectors_;
    of_sets.push_back(rows_below(end, sets_[set].vectors));
  }
  auto of_run = rows_below(kNoVector, vectors_);
  for (std::size_t set = 0; set < sets_.size(); ++set) {
    if (!of_sets[set].empty()) joined->add(sets_[set].shards, sets_[set].vectors, std::move(of_sets[set]));
  }
  // Even where none is asked for: its embeddings say of how many values all are.
  joined->add(own, vectors_, std::move(of_run));
  return joined;
}

}  // namespace quasar::curation
