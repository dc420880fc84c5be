#include "serve.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "base/version.h"
#include "decode/channel.h"
#include "decode/memory_need.h"
#include "distort/distortions.h"
#include "image/decode.h"
#include "image/resize.h"
#include "image/vips_environment.h"
#include "refusals.h"
#include "sandbox.h"

namespace quasar::decode {
namespace {

/// A shared area as this process sees it.
class Mapping {
 public:
  Mapping(int descriptor, int protection) : descriptor_(descriptor), protection_(protection) {}
  ~Mapping() { drop(); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  /// The first `size` bytes; empty when the area is not as large, or cannot be mapped.
  std::span<std::byte> first(std::uint64_t size) {
    constexpr std::uint64_t kLeast = std::uint64_t{4} << 20U;
    if (size > size_) {
      drop();
      struct stat status {};
      if (::fstat(descriptor_, &status) != 0) return {};
      const auto whole = static_cast<std::uint64_t>(status.st_size);
      if (size > whole) return {};
      const std::uint64_t wanted = std::min(whole, std::max(size, kLeast));
      void* memory = ::mmap(nullptr, wanted, protection_, MAP_SHARED, descriptor_, 0);
      if (memory == MAP_FAILED) return {};
      memory_ = static_cast<std::byte*>(memory);
      size_ = wanted;
    }
    return {memory_, size};
  }
  /// Forgets a mapping larger than pictures of ordinary size have.
  void shrink() {
    constexpr std::uint64_t kKept = std::uint64_t{16} << 20U;
    if (size_ > kKept) drop();
  }

 private:
  void drop() {
    if (memory_ != nullptr) ::munmap(memory_, size_);
    memory_ = nullptr;
    size_ = 0;
  }

  int descriptor_;
  int protection_;
  std::byte* memory_ = nullptr;
  std::uint64_t size_ = 0;
};

/// Made when it is asked for first: it is set before main().
ItemObserver& item_observer() {
  static ItemObserver shared;
  return shared;
}

class Worker {
 public:
  explicit Worker(const Start& start) : start_(start) {}

  /// False when the pool is gone.
  bool answer(const Request& request) {
    Result result;
    bool gone = false;
    forget_refusals();
    try {
      if (const auto& observer = item_observer()) {
        if (const auto answered = observer(request.id.view())) return *answered;
      }
      result = decode(request, gone);
    } catch (const std::bad_alloc&) {
      result = {};
      result.status = static_cast<std::uint32_t>(base::RowStatus::kOutOfMemory);
    }
    const auto status = static_cast<base::RowStatus>(result.status);
    if (memory_was_refused() && status != base::RowStatus::kOk)
      result.status = static_cast<std::uint32_t>(base::RowStatus::kOutOfMemory);
    input_.shrink();
    output_.shrink();
    return !gone && send(kControlDescriptor, result);
  }

 private:
  Result decode(const Request& request, bool& gone) {
    Result result;
    const auto bytes = input_.first(request.bytes);
    if (bytes.size() != request.bytes) throw std::bad_alloc();
    const bool distorted = request.distortion != 0;
    const image::Admission admit = [&](const image::Header& header) {
      const MemoryNeed need = memory_need(header, start_.spec, distorted);
      const std::uint64_t all = need.own + need.output + request.bytes;
      if (all <= start_.standing && need.output <= start_.kept_output) {
        // What earlier pictures left in the allocator must not come on top.
        if (all + ::mallinfo2().fordblks > start_.standing) ::malloc_trim(0);
        return true;
      }
      ::malloc_trim(0);
      return ask(header, need, gone);
    };
    image::Prepared prepared;
    if (distorted) {
      prepared = image::decode(bytes, start_.config, admit);
      if (prepared.status == base::RowStatus::kOk) {
        auto degraded =
            distort::distort(prepared.image, static_cast<distort::DistortionKind>(request.distortion),
                             request.level, request.seed);
        prepared.image = {};
        prepared.image = image::fit(std::move(degraded), start_.spec);
      }
    } else {
      prepared = image::prepare(bytes, start_.config, start_.spec, admit);
    }
    result.status = static_cast<std::uint32_t>(prepared.status);
    result.width = prepared.width;
    result.height = prepared.height;
    result.format.set(prepared.format);
    result.error.set(prepared.error);
    if (prepared.status != base::RowStatus::kOk) return result;
    result.hash_count = static_cast<std::uint32_t>(std::min(prepared.hashes.size(), result.hashes.size()));
    std::copy_n(prepared.hashes.begin(), result.hash_count, result.hashes.begin());
    const auto& pixels = prepared.image.pixels;
    const auto room = output_.first(pixels.size());
    if (room.size() != pixels.size()) throw std::bad_alloc();
    std::memcpy(room.data(), pixels.data(), pixels.size());
    result.image_width = prepared.image.width;
    result.image_height = prepared.image.height;
    return result;
  }

  static bool ask(const image::Header& header, const MemoryNeed& need, bool& gone) {
    Need question;
    question.width = header.width;
    question.height = header.height;
    question.format.set(header.format);
    question.own = need.own;
    question.output = need.output;
    const auto received = send(kControlDescriptor, question) ? receive(kControlDescriptor) : std::nullopt;
    const auto verdict = received ? received->as<Verdict>() : std::nullopt;
    gone = !verdict;
    return verdict && verdict->go != 0;
  }

  const Start& start_;
  Mapping input_{kInputDescriptor, PROT_READ};
  Mapping output_{kOutputDescriptor, PROT_READ | PROT_WRITE};
};

}  // namespace

void set_item_observer(ItemObserver observer) {
  item_observer() = std::move(observer);
}

int serve() {
  // One arena, as one thread works at a time; large blocks are given back when they are freed.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  // Stacks count as memory that is asked for, whether used or not.
  pthread_attr_t thread;
  ::pthread_attr_init(&thread);
  ::pthread_attr_setstacksize(&thread, std::size_t{2} << 20U);
  ::pthread_setattr_default_np(&thread);
  ::pthread_attr_destroy(&thread);
  // Never through a file: libvips would spill pictures of over 100 MB.
  ::setenv("VIPS_DISC_THRESHOLD", "1000g", 1);
  ::setenv("VIPS_CONCURRENCY", "1", 1);
  const image::VipsEnvironment vips([] { std::_Exit(kExitOutOfMemory); });
  const auto received = receive(kControlDescriptor);
  const auto start = received ? received->as<Start>() : std::nullopt;
  if (!start || start->size != sizeof(Start) || start->version.view() != base::version())
    return kExitBadStart;
  Ready ready;
  ready.filtered = confine() ? 1 : 0;
  if (!send(kControlDescriptor, ready)) return 0;
  tell_refusals_from_crashes();
  Worker worker(*start);
  while (const auto message = receive(kControlDescriptor)) {
    const auto request = message->as<Request>();
    if (!request || !worker.answer(*request)) break;
  }
  // Without the destructors of libraries: nothing of theirs outlives the process.
  std::_Exit(0);
}

}  // namespace quasar::decode
