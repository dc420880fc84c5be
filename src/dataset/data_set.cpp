#include "dataset/data_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/logging.h"
#include "dataset/await_written.h"

namespace quasar::dataset {
namespace {

/// Rows whose texts are in memory at once.
constexpr std::size_t kRowsPerBlock = 4096;

/// Name of a data set by its content: its items, how they are cut into shards (and so into batches), and what
/// embeds them.
std::string address(const corpus::Plan& plan, const std::string& settings) {
  std::string text = settings + "\n";
  for (const auto& shard : plan.shards()) text += fmt::format("{} {}\n", shard.count, shard.sha256);
  return content_address(text);
}

/// Whether two plans hold the same items in the same shards, however their lines spell them.
bool same_items(const corpus::Plan& left, const corpus::Plan& right) {
  const auto& a = left.shards();
  const auto& b = right.shards();
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const auto& x, const auto& y) {
    return x.sha256 == y.sha256 || (x.count == y.count && left.read_items(x) == right.read_items(y));
  });
}

/// The plan that lies in a folder, if it is one of these items.
bool holds(const store::DataSetLayout& files, const corpus::Plan& wanted) {
  if (!std::filesystem::exists(files.plan())) return false;
  try {
    return same_items(corpus::Plan::load(files.folder()), wanted);
  } catch (const base::Error& error) {
    base::log_warning("{}: its images are embedded anew", error.what());
    return false;
  }
}

}  // namespace

bool DataSet::has(const corpus::Shard& shard, store::Integrity integrity) const {
  return store::is_whole_shard(path(shard), shard.sha256, shard.count, integrity);
}

store::EmbeddingShardReader DataSet::open(const corpus::Shard& shard, WrittenBy written,
                                          store::Integrity integrity) const {
  const auto file = path(shard);
  if (written == WrittenBy::kThisJob) await_written(file);
  if (!std::filesystem::exists(file)) {
    base::fail(base::ExitCode::kInput, file.string() + " is missing: run \"quasar embed\" first");
  }
  store::EmbeddingShardReader reader(file, integrity);
  if (reader.size() != shard.count || reader.header().items_sha256 != shard.sha256) {
    base::fail(
        base::ExitCode::kInput,
        fmt::format("{} is not the shard of this plan: it holds {} rows of items {}, the plan says {} of {}",
                    file.string(), reader.size(), reader.header().items_sha256.substr(0, 12), shard.count,
                    shard.sha256.substr(0, 12)));
  }
  return reader;
}

void DataSet::for_each_row(
    WrittenBy written,
    const std::function<void(std::int64_t number, const store::RowRecord& row)>& take) const {
  for (const auto& shard : plan_.shards()) {
    const auto reader = open(shard, written, store::Integrity::kRows);
    for (std::size_t first = 0; first < reader.size(); first += kRowsPerBlock) {
      auto number = static_cast<std::int64_t>(shard.first + first);
      for (const auto& row : reader.read_rows(first, std::min(kRowsPerBlock, reader.size() - first)))
        take(number++, row);
    }
  }
}

const corpus::Shard& DataSet::shard_of(std::int64_t number) const {
  const auto& shards = plan_.shards();
  const auto row = static_cast<std::uint64_t>(number);
  QUASAR_CHECK(number >= 0 && row < plan_.item_count());
  return *std::prev(std::upper_bound(shards.begin(), shards.end(), row,
                                     [](std::uint64_t at, const auto& shard) { return at < shard.first; }));
}

std::vector<corpus::Shard> DataSet::shards_of_rank(int rank, int ranks) const {
  const auto& shards = plan_.shards();
  std::vector<corpus::Shard> mine;
  for (auto i = static_cast<std::size_t>(rank); i < shards.size(); i += static_cast<std::size_t>(ranks))
    mine.push_back(shards[i]);
  return mine;
}

std::string content_address(const std::string& text) {
  constexpr std::size_t kDigits = 20;
  return base::sha256_hex(text).substr(0, kDigits);
}

corpus::Plan load_plan(const std::filesystem::path& folder, const comm::Communicator& comm) {
  std::optional<corpus::Plan> plan;
  std::string text;
  comm.on_root([&] {
    text = corpus::Plan::read_text(folder);
    plan.emplace(corpus::Plan::from_text(text, folder));
  });
  comm.broadcast(text);
  comm.together([&] {
    if (plan) return;
    await_written(store::DataSetLayout(folder).items(),
                  [&] { return corpus::Plan::has_items(text, folder); });
    plan.emplace(corpus::Plan::from_text(text, folder));
  });
  return *std::move(plan);
}

DataSet open_data_set(const DataSetRequest& request, const comm::Communicator& comm) {
  std::string name;
  comm.on_root([&] {
    const auto plan = request.items();
    name = address(plan, request.settings);
    const auto files = request.run.data_set(name);
    base::make_directories(request.run.data_sets());
    if (holds(files, plan)) return;
    std::filesystem::remove_all(files.folder());
    if (request.former && holds(*request.former, plan)) {
      std::filesystem::rename(request.former->folder(), files.folder());
      base::log_info("{} is now {}", request.former->folder().string(), files.folder().string());
      return;
    }
    plan.save(files.folder());
  });
  comm.broadcast(name);
  const auto files = request.run.data_set(name);
  return {files, load_plan(files.folder(), comm)};
}

}  // namespace quasar::dataset
