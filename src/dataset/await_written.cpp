#include "dataset/await_written.h"

#include "base/await_file.h"
#include "base/errors.h"
#include "base/stop_signal.h"

namespace quasar::dataset {
namespace {

base::AwaitOptions options() {
  base::AwaitOptions options;
  options.between = [] { base::end_if_stopped(); };
  return options;
}

}  // namespace

void await_written(const std::filesystem::path& path) {
  base::await_file(path, options());
}

void await_written(const std::filesystem::path& path, const std::function<bool()>& ready) {
  base::await_file(path, ready, options());
}

}  // namespace quasar::dataset
