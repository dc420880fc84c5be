#include "exports/temporary_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "exports/file_io.h"

namespace quasar::exports {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int error) {
  base::fail(base::ExitCode::kOutput, "cannot write " + path.string() + ": " + base::describe_errno(error));
}

}  // namespace

TemporaryFile::TemporaryFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(base::temporary_name(path_)), file_(create_file(temporary_)) {}

TemporaryFile::~TemporaryFile() {
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void TemporaryFile::end_at(std::uint64_t size) const {
  if (::ftruncate(file_.number(), static_cast<off_t>(size)) != 0) fail(path_, errno);
}

void TemporaryFile::begin_sync() const {
  // Where a file system cannot, publish() has it all to do.
  ::sync_file_range(file_.number(), 0, 0, SYNC_FILE_RANGE_WRITE);
}

void TemporaryFile::close() {
  if (const int error = file_.close(); error != 0) fail(path_, error);
}

void TemporaryFile::publish() {
  close();
  base::publish_file(temporary_, path_);
}

}  // namespace quasar::exports
