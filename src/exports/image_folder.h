// Internal to the module: pictures as files, as Hugging Face's imagefolder reads them: a folder for each
// shard (00000/000000000.jpg) and metadata.jsonl over all, with `file_name` first, then the row and the
// fields of the corpus.
#pragma once

#include "exports/shard_format.h"

namespace quasar::exports {

class ImageFolder final : public ShardFormat {
 public:
  ImageFolder(const ExportConfig& config, const ExportInput& input, const Manifest& manifest);
  ShardRecord write(std::uint64_t shard, std::span<const KeptRow> rows,
                    const std::function<void()>& done) override;
  bool is_there(std::uint64_t shard, const ShardRecord& record) const override;
  void finish(const std::vector<ShardRecord>& records) const override;

 private:
  const ExportConfig& config_;
  const ExportInput& input_;
  const Manifest& manifest_;
  ExportLayout layout_;
  std::vector<std::string> fields_;
};

}  // namespace quasar::exports
