#include "store/h5_access.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/descriptor.h"
#include "base/errors.h"
#include "base/file_status.h"

namespace quasar::store::h5 {
namespace {

/// HDF5's locks keep a reader from a file that is being written, which ours never has under its name; where
/// the file system has no locks, HDF5 would open nothing.
void do_without_locks([[maybe_unused]] hid_t properties) {
#if H5_VERSION_GE(1, 14, 0) || (H5_VERSION_GE(1, 12, 1) && !H5_VERSION_GE(1, 13, 0)) || \
    (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 11, 0))
  H5Pset_file_locking(properties, /*use_file_locking=*/0, /*ignore_when_disabled=*/1);
#else
  // Looked at when a file is opened.
  ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", /*overwrite=*/0);
#endif
}

/// What to say beside HDF5's reason when that is a lock: a variable of the environment comes before what a
/// program asks for.
std::string locking_note(const std::string& reason) {
  const char* const setting = std::getenv("HDF5_USE_FILE_LOCKING");
  if (setting == nullptr || reason.find("unable to lock") == std::string::npos) return "";
  return std::string("; HDF5_USE_FILE_LOCKING=") + setting +
         " in the environment asks for locks that this file system does not have: unset it, or set it to "
         "FALSE";
}

/// errno of reading the beginning of a file with the system's own calls; 0 when that goes well.
int reading_error(const std::filesystem::path& path) {
  const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return errno;
  std::array<char, 64> beginning{};
  return ::pread(file.number(), beginning.data(), beginning.size(), 0) < 0 ? errno : 0;
}

}  // namespace

Handle access_properties() {
  Handle properties(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  do_without_locks(properties.get());
  // Fixed format versions: the same content gives the same bytes with every later library.
  H5Pset_libver_bounds(properties.get(), H5F_LIBVER_V18, H5F_LIBVER_V110);
  H5Pset_fclose_degree(properties.get(), H5F_CLOSE_STRONG);
  return properties;
}

void fail_open(const std::filesystem::path& path, const std::string& reason) {
  const int error = reading_error(path);
  if (error == ENOENT) base::fail(base::ExitCode::kInput, "there is no file " + path.string());
  std::string message;
  if (error != 0) {
    message =
        "cannot read " + path.string() + ": " + base::describe_errno(error) + base::access_note(path, error);
  } else if (reason.find("unable to lock") != std::string::npos ||
             reason.find("read failed: ") != std::string::npos) {
    message = "cannot read " + path.string() + ": " + reason + locking_note(reason);
  } else {
    message = path.string() + " is no HDF5 file, or not a whole one: " + reason;
  }
  base::fail(base::ExitCode::kInput, message);
}

void fail_create(const std::filesystem::path& path, const std::string& reason) {
  const auto folder = path.parent_path().empty() ? std::filesystem::path(".") : path.parent_path();
  const int error = ::access(folder.c_str(), W_OK) != 0 ? errno : 0;
  base::fail(base::ExitCode::kOutput, "cannot create " + path.string() + ": " + reason +
                                          locking_note(reason) + base::access_note(folder, error));
}

}  // namespace quasar::store::h5
