#include "store/score_shard.h"

#include "base/errors.h"
#include "store/provenance.h"
#include "store/seal.h"

namespace quasar::store {
namespace {

std::string column(const std::string& name) {
  return "score/" + name;
}

/// Everything but the scores.
ScoreShard read_header(const h5::File& file, const std::filesystem::path& path) {
  check_provenance(file, path, kScoreShardSchema);
  ScoreShard shard;
  shard.shard = static_cast<int>(file.integer_attribute("shard"));
  shard.embeddings_xxh128 = file.text_attribute("embeddings_xxh128");
  const auto columns = file.shape("anchor").first;
  shard.names = file.read_texts("anchor", 0, columns);
  shard.anchor_fingerprints = file.read_texts("anchor_fingerprint", 0, columns);
  return shard;
}

}  // namespace

void write_score_shard(const std::filesystem::path& path, const ScoreShard& shard) {
  const std::size_t columns = shard.names.size();
  QUASAR_CHECK(columns > 0 && shard.anchor_fingerprints.size() == columns &&
               shard.scores.size() % columns == 0);
  const std::size_t rows = shard.scores.size() / columns;
  write_whole(path, [&](h5::File& file) {
    write_provenance(file, kScoreShardSchema);
    file.write_attribute("shard", std::int64_t{shard.shard});
    file.write_attribute("embeddings_xxh128", shard.embeddings_xxh128);
    file.write_texts("anchor", shard.names);
    file.write_texts("anchor_fingerprint", shard.anchor_fingerprints);
    file.create_group("score");
    std::vector<float> values(rows);
    for (std::size_t c = 0; c < columns; ++c) {
      for (std::size_t i = 0; i < rows; ++i) values[i] = shard.scores[i * columns + c];
      file.write(column(shard.names[c]), H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, values.data(), rows);
    }
  });
}

ScoreShard read_score_shard(const std::filesystem::path& path) {
  const auto guard = h5::lock();
  const auto file = h5::File::open(path);
  ScoreShard shard = read_header(file, path);
  const std::size_t columns = shard.names.size();
  std::vector<float> values;
  for (std::size_t c = 0; c < columns; ++c) {
    const auto [rows, width] = file.shape(column(shard.names[c]));
    if (c == 0) {
      values.resize(rows);
      shard.scores.resize(rows * columns);
    }
    if (width != 0 || rows != values.size()) {
      base::fail(base::ExitCode::kInput, path.string() + ": its columns differ in length");
    }
    file.read(column(shard.names[c]), H5T_NATIVE_FLOAT, 0, rows, values.data());
    for (std::size_t i = 0; i < rows; ++i) shard.scores[i * columns + c] = values[i];
  }
  return shard;
}

std::map<std::string, std::string> read_score_anchors(const std::filesystem::path& path) {
  const auto guard = h5::lock();
  const ScoreShard header = read_header(h5::File::open(path), path);
  std::map<std::string, std::string> anchors;
  for (std::size_t c = 0; c < header.names.size(); ++c)
    anchors[header.names[c]] = header.anchor_fingerprints[c];
  return anchors;
}

bool score_shard_matches(const std::filesystem::path& path, const std::string& embeddings_xxh128, int shard,
                         const std::vector<std::string>& names,
                         const std::vector<std::string>& anchor_fingerprints) {
  if (!is_readable(path)) return false;
  try {
    const auto guard = h5::lock();
    // Without a seal nothing says whether the scores are those that were written; they are soon made again.
    if (check_seal(path) != SealState::kWhole) return false;
    const auto header = read_header(h5::File::open(path), path);
    return header.embeddings_xxh128 == embeddings_xxh128 && header.shard == shard && header.names == names &&
           header.anchor_fingerprints == anchor_fingerprints;
  } catch (const base::Error&) {
    return false;
  }
}

}  // namespace quasar::store
