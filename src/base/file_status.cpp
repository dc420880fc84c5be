#include "base/file_status.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include "base/errors.h"

namespace quasar::base {
namespace {

constexpr std::size_t kNameBuffer = std::size_t{16} << 10U;

std::string group_name(gid_t group) {
  struct group entry {};
  struct group* found = nullptr;
  std::vector<char> buffer(kNameBuffer);
  if (::getgrgid_r(group, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return entry.gr_name;
  return std::to_string(group);
}

}  // namespace

std::filesystem::file_status file_status(const std::filesystem::path& path, const std::string& where) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::status_known(status)) {
    fail(ExitCode::kInput, where + (where.empty() ? "" : ": ") + "cannot look at " + path.string() + ": " +
                               describe_errno(error.value()));
  }
  return status;
}

std::string user_name(unsigned user) {
  struct passwd entry {};
  struct passwd* found = nullptr;
  std::vector<char> buffer(kNameBuffer);
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return entry.pw_name;
  return std::to_string(user);
}

std::string access_note(const std::filesystem::path& path, int error_number) {
  if (error_number != EACCES && error_number != EPERM) return "";
  auto nearest = std::filesystem::absolute(path);
  struct stat status {};
  while (::stat(nearest.c_str(), &status) != 0) {
    if (!nearest.has_relative_path()) return "";
    nearest = nearest.parent_path();
  }
  std::array<char, 8> mode{};
  std::snprintf(mode.data(), mode.size(), "%04o", status.st_mode & 07777U);
  return "; " + nearest.string() + " belongs to " + user_name(status.st_uid) + " (group " +
         group_name(status.st_gid) + ", mode " + mode.data() + "), this job to " + user_name(::geteuid()) +
         ": a run directory is shared by a group whose jobs all have umask 002 and that may write all that "
         "is "
         "there (once: chmod -R g+rwX, and chmod g+s for the folders); or use a run directory of your own";
}

}  // namespace quasar::base
