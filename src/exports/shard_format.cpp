#include "exports/shard_format.h"

#include <algorithm>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/errors.h"
#include "duckdb/database.h"
#include "exports/file_io.h"
#include "exports/image_folder.h"
#include "exports/list_formats.h"
#include "exports/table_formats.h"
#include "exports/tar_shard.h"

namespace quasar::exports {

void check_export(const ExportConfig& config) {
  const bool tables =
      config.format == Format::kParquet || config.format == Format::kNpy || config.with_parquet;
  if (!tables) return;
  try {
    duckdb::load_library();
  } catch (const base::Error& error) {
    base::fail(error.code(), "export." + config.name + " writes Parquet: " + error.what());
  }
}

void join_parts(const ExportLayout& layout, std::uint64_t shards, const std::filesystem::path& path) {
  constexpr std::uint64_t kJoinedAtOnce = std::uint64_t{4} << 20U;
  base::AtomicFile whole(path);
  std::vector<std::byte> block;
  for (std::uint64_t shard = 0; shard < shards; ++shard) {
    const auto name = layout.part(shard);
    const auto part = open_for_reading(name);
    const auto size = std::filesystem::file_size(name);
    for (std::uint64_t from = 0; from < size; from += kJoinedAtOnce) {
      block.resize(static_cast<std::size_t>(std::min(kJoinedAtOnce, size - from)));
      read_exactly(part, name, from, block);
      whole.write(block);
      base::note_activity();
    }
  }
  whole.commit();
}

std::unique_ptr<ShardFormat> make_format(const ExportConfig& config, const ExportInput& input,
                                         const Manifest& manifest) {
  switch (config.format) {
    case Format::kWebDataset:
      return std::make_unique<TarShards>(config, input, manifest);
    case Format::kImageFolder:
      return std::make_unique<ImageFolder>(config, input, manifest);
    case Format::kParquet:
      return std::make_unique<ManifestTables>(config, input, manifest);
    case Format::kNpy:
      return std::make_unique<EmbeddingTables>(config, input, manifest);
    case Format::kDataCompUids:
      return std::make_unique<UidList>(config, manifest);
    case Format::kUrls:
      return std::make_unique<UrlList>(config, manifest);
  }
  base::fail(base::ExitCode::kInternal, "an export of no known format");
}

}  // namespace quasar::exports
