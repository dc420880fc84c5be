#include "curation/joint_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/await_file.h"
#include "base/errors.h"
#include "base/packer.h"
#include "base/unpacker.h"

namespace quasar::curation {
namespace {

/// A multiple of the pages of all machines.
constexpr std::uint64_t kPage = std::uint64_t{64} << 10U;
constexpr std::size_t kBlock = std::size_t{1} << 20U;

[[noreturn]] void fail_with(base::ExitCode code, const char* what, const std::filesystem::path& path,
                            int error) {
  base::fail(code, std::string("cannot ") + what + " " + path.string() + ": " + base::describe_errno(error));
}

base::Descriptor open_file(const std::filesystem::path& path, int flags) {
  base::Descriptor file(::open(path.c_str(), flags | O_CLOEXEC, 0666));
  if (!file.is_open()) fail_with(base::ExitCode::kOutput, "open", path, errno);
  return file;
}

void write_at(const base::Descriptor& file, const std::filesystem::path& path, std::string_view text,
              std::uint64_t offset) {
  while (!text.empty()) {
    const ssize_t written = ::pwrite(file.number(), text.data(), text.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with(base::ExitCode::kOutput, "write", path, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

/// Where network file systems say what they could not write.
void close_synced(base::Descriptor& file, const std::filesystem::path& path) {
  if (::fsync(file.number()) != 0) fail_with(base::ExitCode::kOutput, "flush", path, errno);
  if (const int error = file.close(); error != 0) fail_with(base::ExitCode::kOutput, "close", path, error);
}

void add_piece(std::uint64_t offset, std::string_view text, std::string& pieces) {
  if (text.empty()) return;
  base::pack(offset, pieces);
  base::pack_text(text, pieces);
}

}  // namespace

JointFile::JointFile(std::filesystem::path path, const std::filesystem::path& parts,
                     const comm::Communicator& comm)
    : path_(std::move(path)), comm_(comm) {
  std::string whole;
  if (comm_.is_root()) whole = base::temporary_name(path_).string();
  comm_.broadcast(whole);
  whole_ = whole;
  part_ = comm_.is_root() ? whole_ : parts / (path_.filename().string() + "." + std::to_string(comm_.rank()));
  try {
    comm_.together([&] { file_ = open_file(part_, O_RDWR | O_CREAT | O_EXCL); });
  } catch (...) {
    if (file_.is_open()) ::unlink(part_.c_str());
    throw;
  }
}

JointFile::~JointFile() {
  file_.close();
  if (!part_.empty()) ::unlink(part_.c_str());
}

void JointFile::flush() {
  write_at(file_, part_, buffer_, bytes_ - buffer_.size());
  buffer_.clear();
}

void JointFile::write(std::string_view text) {
  buffer_ += text;
  bytes_ += text.size();
  if (buffer_.size() >= kBlock) flush();
}

template <typename Take>
void JointFile::read_part(std::uint64_t begin, std::uint64_t end, const Take& take) const {
  std::vector<char> block(std::min<std::uint64_t>(kBlock, end - begin));
  while (begin < end) {
    const auto wanted = std::min<std::uint64_t>(block.size(), end - begin);
    const ssize_t got = ::pread(file_.number(), block.data(), wanted, static_cast<off_t>(begin));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with(base::ExitCode::kInput, "read", part_, errno);
    if (got == 0) base::fail(base::ExitCode::kInput, part_.string() + " has lost its end");
    take(std::string_view(block.data(), static_cast<std::size_t>(got)));
    begin += static_cast<std::uint64_t>(got);
  }
}

std::string JointFile::place_part(std::uint64_t first) const {
  const std::uint64_t end = first + bytes_;
  const std::uint64_t inner = std::min(end, (first + kPage - 1) / kPage * kPage);
  const std::uint64_t inner_end = std::max(inner, end / kPage * kPage);
  std::string pieces;
  const auto add_ends = [&](std::uint64_t from, std::uint64_t to) {
    std::string text;
    read_part(from - first, to - first, [&](std::string_view block) { text += block; });
    add_piece(from, text, pieces);
  };
  add_ends(first, inner);
  if (inner < inner_end) {
    base::await_file(whole_);
    auto whole = open_file(whole_, O_WRONLY);
    std::uint64_t at = inner;
    read_part(inner - first, inner_end - first, [&](std::string_view block) {
      write_at(whole, whole_, block, at);
      at += block.size();
    });
    close_synced(whole, whole_);
  }
  add_ends(inner_end, end);
  return pieces;
}

FileSum JointFile::sum_parts(const std::vector<std::uint64_t>& sizes) const {
  // The hash goes from rank to rank, each of which has its part at hand.
  base::Xxh128 sum;
  FileSum written;
  comm::Outcome outcome;
  for (int rank = 0; rank < comm_.size(); ++rank) {
    written.bytes += sizes[static_cast<std::size_t>(rank)];
    std::string state;
    if (rank == comm_.rank()) {
      outcome =
          comm_.attempt([&] { read_part(0, bytes_, [&](std::string_view block) { sum.update(block); }); });
      state = sum.state();
    }
    comm_.broadcast(state, rank);
    sum.resume(state);
  }
  comm_.together([&] {
    if (outcome.code != base::ExitCode::kOk) throw base::Error(outcome.code, outcome.message);
  });
  written.xxh128 = sum.hex_digest();
  return written;
}

FileSum JointFile::commit() {
  comm_.together([&] { flush(); });
  std::vector<std::uint64_t> sizes;
  for (const auto& size : comm_.all_gather(std::to_string(bytes_))) sizes.push_back(std::stoull(size));
  std::uint64_t first = 0;
  for (int rank = 0; rank < comm_.rank(); ++rank) first += sizes[static_cast<std::size_t>(rank)];
  const FileSum written = sum_parts(sizes);
  std::string pieces;
  comm_.together([&] {
    if (!comm_.is_root()) pieces = place_part(first);
  });
  const auto all_pieces = comm_.gather(pieces);
  comm_.on_root([&] {
    for (const auto& text : all_pieces) {
      base::Unpacker unpacker(text, "the ends of a rank's part");
      while (!unpacker.done()) {
        const auto offset = unpacker.take<std::uint64_t>();
        write_at(file_, whole_, unpacker.take_text(), offset);
      }
    }
    close_synced(file_, whole_);
    base::publish_file(whole_, path_);
    part_.clear();
  });
  return written;
}

}  // namespace quasar::curation
