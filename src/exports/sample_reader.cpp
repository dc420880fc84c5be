#include "exports/sample_reader.h"

#include <fmt/format.h>

#include "base/checksum.h"
#include "base/errors.h"
#include "base/status.h"
#include "corpus/path_text.h"

namespace quasar::exports {
namespace {

std::vector<corpus::Item> items_of(std::span<const PlannedSample* const> samples) {
  std::vector<corpus::Item> items;
  items.reserve(samples.size());
  for (const auto* sample : samples) items.push_back(sample->item);
  return items;
}

LeftOut left_out(const PlannedSample& sample, std::string_view status, std::string error) {
  return {sample.item.id, sample.item.source, std::string(status), std::move(error)};
}

constexpr std::string_view kChanged = "changed";

}  // namespace

SampleReader::SampleReader(std::span<const PlannedSample* const> samples, std::uint64_t max_file_bytes)
    : samples_(samples.begin(), samples.end()), reader_(items_of(samples), max_file_bytes) {}

std::optional<LeftOut> SampleReader::read_picture(std::size_t index, std::span<std::byte> bytes) const {
  const auto& sample = *samples_.at(index);
  std::optional<std::uint64_t> other_size;
  std::uint64_t size = 0;
  const auto outcome = reader_.read(
      index,
      [&](std::uint64_t wanted) -> corpus::ShardReader::Room {
        if (wanted == bytes.size()) return {{}, bytes};
        other_size = wanted;
        return {{base::RowStatus::kUnreadable, "it has another size"}, {}};
      },
      size);
  if (other_size) {
    return left_out(
        sample, kChanged,
        fmt::format("it has {} bytes, and had {} when it was embedded", *other_size, bytes.size()));
  }
  if (outcome.status != base::RowStatus::kOk)
    return left_out(sample, base::status_name(outcome.status), outcome.error);
  if (base::xxh128_hex(bytes) != sample.hash)
    return left_out(sample, kChanged, "its bytes are not those that were embedded (xxh128)");
  return std::nullopt;
}

std::optional<LeftOut> SampleReader::read_copied(std::size_t index, const PlannedFile& file,
                                                 std::uint64_t from, std::span<std::byte> bytes) {
  const auto& sample = *samples_.at(index);
  const auto what = [&] {
    return fmt::format("its .{} in {}", file.from.extension, corpus::path_to_text(file.from.file));
  };
  try {
    if (!open_ || open_path_ != file.from.file) {
      open_ = corpus::open_tar(file.from.file);
      open_path_ = file.from.file;
    }
  } catch (const base::Error& error) {
    open_.reset();
    return left_out(sample, base::status_name(base::RowStatus::kUnreadable), what() + ": " + error.what());
  }
  if (open_->read(file.from.offset + from, bytes) == bytes.size()) return std::nullopt;
  return left_out(sample, base::status_name(base::RowStatus::kUnreadable),
                  what() + " ends early or cannot be read");
}

}  // namespace quasar::exports
