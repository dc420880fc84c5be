#include "curation/manifest_writer.h"

#include <fstream>
#include <utility>
#include <vector>

#include "base/errors.h"

namespace quasar::curation {

JointFile::JointFile(std::filesystem::path path, const std::filesystem::path& parts,
                     const std::string& header, const comm::Communicator& comm)
    : path_(std::move(path)), parts_(parts), comm_(comm) {
  comm_.together([&] {
    file_ = std::make_unique<base::AtomicFile>(comm_.is_root() ? path_ : part_path(comm_.rank()));
    if (comm_.is_root()) file_->write(header);
  });
}

std::filesystem::path JointFile::part_path(int rank) const {
  return parts_ / (path_.filename().string() + "." + std::to_string(rank));
}

void JointFile::commit() {
  comm_.together([&] {
    if (!comm_.is_root()) file_->commit();
  });
  comm_.on_root([&] {
    std::vector<char> block(std::size_t{4} << 20U);
    for (int rank = 1; rank < comm_.size(); ++rank) {
      const auto part = part_path(rank);
      std::ifstream in(part, std::ios::binary);
      if (!in)
        base::fail(base::ExitCode::kInput, "cannot open " + part.string() + ", written by another rank");
      while (in) {
        in.read(block.data(), static_cast<std::streamsize>(block.size()));
        file_->write(std::string_view(block.data(), static_cast<std::size_t>(in.gcount())));
      }
      if (in.bad()) base::fail(base::ExitCode::kInput, "cannot read " + part.string());
      std::error_code ignored;
      std::filesystem::remove(part, ignored);
    }
    file_->commit();
  });
}

ManifestWriter::ManifestWriter(const std::filesystem::path& run, const std::filesystem::path& parts,
                               ManifestShape shape, const CurationConfig& config,
                               const comm::Communicator& comm)
    : shape_(std::move(shape)) {
  if (config.csv) csv_.emplace(run / "manifest.csv", parts, csv_header(shape_), comm);
  if (config.jsonl) json_.emplace(run / "manifest.jsonl", parts, "", comm);
}

void ManifestWriter::write(const ManifestRow& row, const RankedFacts& facts) {
  if (csv_) {
    line_.clear();
    append_csv(shape_, row, facts, line_);
    csv_->write(line_);
  }
  if (json_) {
    line_.clear();
    append_json(shape_, row, facts, line_);
    json_->write(line_);
  }
}

void ManifestWriter::commit() {
  if (csv_) csv_->commit();
  if (json_) json_->commit();
}

}  // namespace quasar::curation
