#include "curation/manifest_writer.h"

#include <fstream>
#include <utility>
#include <vector>

#include "base/await_file.h"
#include "base/errors.h"

namespace quasar::curation {

JointFile::JointFile(std::filesystem::path path, const std::filesystem::path& parts,
                     const std::string& header, const comm::Communicator& comm)
    : path_(std::move(path)), parts_(parts), comm_(comm) {
  comm_.together([&] {
    file_ = std::make_unique<base::AtomicFile>(comm_.is_root() ? path_ : part_path(comm_.rank()));
    if (comm_.is_root()) write(header);
  });
}

std::filesystem::path JointFile::part_path(int rank) const {
  return parts_ / (path_.filename().string() + "." + std::to_string(rank));
}

void JointFile::write(std::string_view text) {
  file_->write(text);
  bytes_ += text.size();
  if (comm_.is_root()) sum_.update(text);
}

void JointFile::append(int rank, std::uint64_t size) {
  const auto part = part_path(rank);
  base::await_file(part);
  std::ifstream in(part, std::ios::binary);
  if (!in) base::fail(base::ExitCode::kInput, "cannot open " + part.string() + ", written by another rank");
  std::vector<char> block(std::size_t{4} << 20U);
  std::uint64_t read = 0;
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    read += static_cast<std::uint64_t>(in.gcount());
    write(std::string_view(block.data(), static_cast<std::size_t>(in.gcount())));
  }
  if (in.bad()) base::fail(base::ExitCode::kInput, "cannot read " + part.string());
  if (read != size) {
    base::fail(base::ExitCode::kInput, part.string() + " holds " + std::to_string(read) +
                                           " bytes, and rank " + std::to_string(rank) + " wrote " +
                                           std::to_string(size));
  }
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
}

FileSum JointFile::commit() {
  comm_.together([&] {
    if (!comm_.is_root()) file_->commit();
  });
  const auto sizes = comm_.gather(std::to_string(bytes_));
  FileSum written;
  comm_.on_root([&] {
    for (int rank = 1; rank < comm_.size(); ++rank)
      append(rank, std::stoull(sizes[static_cast<std::size_t>(rank)]));
    file_->commit();
    written = {bytes_, sum_.hex_digest()};
  });
  return written;
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

WrittenFiles ManifestWriter::commit() {
  WrittenFiles files;
  if (csv_) files["manifest.csv"] = csv_->commit();
  if (json_) files["manifest.jsonl"] = json_->commit();
  return files;
}

}  // namespace quasar::curation
