#include "checkpoint/weights_file.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/mapped_file.h"
#include "base/utf8.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch_zip.h"
#include "checkpoint/weight_names.h"
#include "checkpoint/weights_index.h"
#include "checkpoint/zip_archive.h"

namespace quasar::checkpoint {
namespace {

using SharedFile = std::shared_ptr<const base::MappedFile>;

/// Missing shards that an error names.
constexpr std::size_t kListed = 20;

void read_safetensors(const SharedFile& file, WeightsFile& weights) {
  std::span<const std::byte> data;
  SafetensorsHeader header = read_safetensors_header(file->bytes(), data);
  for (SafetensorsEntry& entry : header.entries) {
    const std::span<const std::byte> bytes = data.subspan(entry.begin, entry.end - entry.begin);
    weights.tensors.emplace(entry.name, tensor_over(bytes, entry.type, entry.shape, file, entry.name));
  }
  weights.metadata = std::move(header.metadata);
  weights.container = "safetensors";
}

/// SHA-256 on a thread of its own. Destroyed without get(), it stops.
class BackgroundDigest {
 public:
  explicit BackgroundDigest(std::span<const std::byte> bytes)
      : digest_(std::async(std::launch::async, [this, bytes] { return compute(bytes); })) {}
  ~BackgroundDigest() { stop_ = true; }
  BackgroundDigest(const BackgroundDigest&) = delete;
  BackgroundDigest& operator=(const BackgroundDigest&) = delete;

  std::string get() { return digest_.get(); }

 private:
  std::string compute(std::span<const std::byte> bytes) const {
    constexpr std::size_t kChunk = std::size_t{8} << 20U;
    base::Sha256 hash;
    for (; !bytes.empty() && !stop_; bytes = bytes.subspan(std::min(kChunk, bytes.size()))) {
      hash.update(bytes.first(std::min(kChunk, bytes.size())));
    }
    return hash.hex_digest();
  }

  std::atomic<bool> stop_ = false;
  std::future<std::string> digest_;  ///< Last: its destruction waits for the thread.
};

/// Throws for content that is no weights file, with the likely reason.
[[noreturn]] void refuse(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  using base::fail;
  constexpr auto kInput = base::ExitCode::kInput;
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 64));
  if (looks_like_legacy_torch(bytes)) {
    const std::string name = path.filename().string();
    fail(kInput,
         "torch.save wrote it in the format it had before version 1.6, which is not read. Convert it: "
         "python -c \"import torch; torch.save(torch.load('" +
             name + "', map_location='cpu'), 'new-" + name + "')\"");
  }
  if (start.starts_with("version https://git-lfs"))
    fail(kInput, "a Git LFS pointer, not the weights: run git lfs pull");
  if (start.starts_with("<")) fail(kInput, "a web page, not the weights: the download failed");
  if (bytes.empty()) fail(kInput, "it is empty");
  fail(kInput,
       "neither a safetensors file, nor a torch.save zip, nor a TorchScript archive, nor an index of shards");
}

WeightsFile read_single(const std::filesystem::path& path, const SharedFile& file) {
  // Gigabytes take seconds to hash; reading and checking go on beside it.
  BackgroundDigest digest(file->bytes());
  WeightsFile weights;
  if (ZipArchive::looks_like_zip(file->bytes())) {
    read_torch_zip(file->bytes(), file, weights);
  } else if (looks_like_safetensors(file->bytes())) {
    read_safetensors(file, weights);
  } else {
    refuse(path, file->bytes());
  }
  weights.sha256 = digest.get();
  return weights;
}

std::string in_quotes(const std::string& name) {
  return "\"" + base::printable(name) + "\"";
}

/// All shards of an index, each tensor from the shard that the index names for it and from no other.
WeightsFile read_shards(const std::filesystem::path& path, const base::MappedFile& index) {
  constexpr auto kInput = base::ExitCode::kInput;
  const std::map<std::string, std::string> places =
      parse_weights_index({reinterpret_cast<const char*>(index.bytes().data()), index.bytes().size()});
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : places) shards.insert(shard);
  std::string missing;
  std::size_t missing_count = 0;
  for (const std::string& shard : shards) {
    std::error_code ignored;
    if (std::filesystem::exists(path.parent_path() / shard, ignored)) continue;
    if (++missing_count <= kListed) missing += (missing.empty() ? "" : ", ") + in_quotes(shard);
  }
  if (missing_count > 0)
    base::fail(kInput, std::to_string(missing_count) + " of the " + std::to_string(shards.size()) +
                           " shards that it names are not beside it: " + missing +
                           (missing_count > kListed ? ", ..." : ""));
  WeightsFile weights;
  base::Sha256 hash;
  for (const std::string& name : shards) {
    try {
      const auto file = std::make_shared<const base::MappedFile>(path.parent_path() / name);
      if (looks_like_weights_index(file->bytes()))
        base::fail(kInput, "it is an index itself, no shard of weights");
      WeightsFile shard = read_single(name, file);
      for (auto& [tensor, stored] : shard.tensors) {
        const auto place = places.find(tensor);
        if (place == places.end())
          base::fail(kInput, "it holds the tensor " + in_quotes(tensor) + ", which the index does not name");
        if (place->second != name)
          base::fail(kInput, "it holds the tensor " + in_quotes(tensor) + ", which the index places in " +
                                 in_quotes(place->second));
        weights.tensors.emplace(tensor, std::move(stored));
      }
      const std::string line = shard.sha256 + "  " + name + "\n";
      hash.update(std::as_bytes(std::span(line)));
      weights.container = shard.container;
      weights.metadata.merge(shard.metadata);
    } catch (const base::Error& error) {
      base::fail(error.code(), "shard " + in_quotes(name) + ": " + error.what());
    }
  }
  for (const auto& [tensor, shard] : places)
    if (!weights.tensors.contains(tensor))
      base::fail(kInput, "the shard " + in_quotes(shard) + " lacks the tensor " + in_quotes(tensor) +
                             ", which the index places there");
  weights.sha256 = hash.hex_digest();
  return weights;
}

}  // namespace

WeightsFile read_weights_file(const std::filesystem::path& path) {
  try {
    const auto file = std::make_shared<const base::MappedFile>(path);
    WeightsFile weights =
        looks_like_weights_index(file->bytes()) ? read_shards(path, *file) : read_single(path, file);
    weights.tensors = unwrap_names(std::move(weights.tensors));
    return weights;
  } catch (const base::Error& error) {
    base::fail(error.code(), "weights file " + path.string() + ": " + error.what());
  }
}

void write_safetensors(const std::filesystem::path& path, const StoredTensors& tensors,
                       const std::map<std::string, std::string>& metadata) {
  SafetensorsHeader header;
  header.metadata = metadata;
  for (const auto& [name, tensor] : tensors) {
    header.entries.push_back({name, tensor.type, tensor.shape, 0, tensor.bytes.size()});
  }
  // The widest types' data comes first, so that every tensor is aligned and readers can use it in place.
  std::vector<SafetensorsEntry*> order;
  for (SafetensorsEntry& entry : header.entries) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const SafetensorsEntry* a, const SafetensorsEntry* b) {
    return element_size(a->type) > element_size(b->type);
  });
  std::uint64_t position = 0;
  for (SafetensorsEntry* entry : order) {
    entry->begin = position;
    position = entry->end += position;
  }
  base::AtomicFile file(path);
  file.write(format_safetensors_header(header));
  for (const SafetensorsEntry* entry : order) file.write(tensors.at(entry->name).bytes);
  file.commit();
}

}  // namespace quasar::checkpoint
