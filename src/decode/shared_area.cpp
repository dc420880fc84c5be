#include "decode/shared_area.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/errors.h"
#include "base/read_at.h"

namespace quasar::decode {
namespace {

[[noreturn]] void fail_area(const char* what) {
  base::fail(base::ExitCode::kInternal,
             std::string("shared memory for decoding: ") + what + ": " + base::describe_errno(errno));
}

/// Mapped at once, so that pictures of ordinary size never change the mapping.
constexpr std::uint64_t kLeastMapping = std::uint64_t{16} << 20U;

}  // namespace

base::Descriptor out_of_the_way(int number, const char* what) {
  constexpr int kFirst = 16;
  if (number < 0) fail_area(what);
  const base::Descriptor low(number);
  const int high = ::fcntl(number, F_DUPFD_CLOEXEC, kFirst);
  if (high < 0) fail_area(what);
  return base::Descriptor(high);
}

SharedArea::SharedArea(const char* name, std::uint64_t size)
    : file_(out_of_the_way(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create")) {
  resize(size);
}

SharedArea::~SharedArea() {
  if (mapped_ != nullptr) ::munmap(mapped_, mapped_size_);
}

base::Descriptor SharedArea::read_only() const {
  const auto path = "/proc/self/fd/" + std::to_string(file_.number());
  return out_of_the_way(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open");
}

void SharedArea::resize(std::uint64_t size) {
  if (::ftruncate(file_.number(), static_cast<off_t>(size)) != 0) fail_area("ftruncate");
  size_ = size;
}

void SharedArea::seal_size() {
  if (::fcntl(file_.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) fail_area("seal");
}

std::span<std::byte> SharedArea::map(std::uint64_t size) {
  QUASAR_CHECK(size <= size_);
  if (size > mapped_size_ || mapped_ == nullptr) {
    if (mapped_ != nullptr) ::munmap(mapped_, mapped_size_);
    mapped_ = nullptr;
    mapped_size_ = std::min(size_, std::max(size, kLeastMapping));
    void* memory = ::mmap(nullptr, mapped_size_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.number(), 0);
    if (memory == MAP_FAILED) fail_area("mmap");
    mapped_ = static_cast<std::byte*>(memory);
  }
  return {mapped_, size};
}

bool SharedArea::read(std::span<std::byte> out) const {
  return base::read_at(file_, 0, out).bytes == out.size();
}

void SharedArea::give_back(std::uint64_t kept) {
  if (kept >= size_) return;
  ::fallocate(file_.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(kept),
              static_cast<off_t>(size_ - kept));
}

}  // namespace quasar::decode
