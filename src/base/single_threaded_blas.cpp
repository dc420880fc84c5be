#include "base/single_threaded_blas.h"

#include <dlfcn.h>

#include <array>
#include <mutex>

namespace quasar::base {
namespace {

using Get = int (*)();
using Set = void (*)(int);

struct Switch {
  Get get = nullptr;
  Set set = nullptr;
};

/// The switch of the library that this process has loaded, or none.
Switch find_switch() {
  constexpr std::array<std::array<const char*, 2>, 3> kNames = {
      {{"openblas_get_num_threads", "openblas_set_num_threads"},
       {"MKL_Get_Max_Threads", "MKL_Set_Num_Threads"},
       {"bli_thread_get_num_threads", "bli_thread_set_num_threads"}}};
  for (const auto& [get, set] : kNames) {
    void* const get_symbol = ::dlsym(RTLD_DEFAULT, get);
    void* const set_symbol = ::dlsym(RTLD_DEFAULT, set);
    if (get_symbol != nullptr && set_symbol != nullptr)
      return {reinterpret_cast<Get>(get_symbol), reinterpret_cast<Set>(set_symbol)};
  }
  return {};
}

/// Who lives, and what was set before the first of them.
struct Users {
  std::mutex mutex;
  int count = 0;
  int before = 1;
  Switch library;
};

Users& users() {
  static Users all;
  return all;
}

}  // namespace

SingleThreadedBlas::SingleThreadedBlas() {
  Users& all = users();
  const std::scoped_lock lock(all.mutex);
  if (all.count++ > 0) return;
  all.library = find_switch();
  if (all.library.set == nullptr) return;
  all.before = all.library.get();
  all.library.set(1);
}

SingleThreadedBlas::~SingleThreadedBlas() {
  Users& all = users();
  const std::scoped_lock lock(all.mutex);
  if (--all.count == 0 && all.library.set != nullptr) all.library.set(all.before);
}

}  // namespace quasar::base
