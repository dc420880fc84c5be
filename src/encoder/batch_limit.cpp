#include "encoder/batch_limit.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace quasar::encoder {
namespace {

bool out_of_memory(const c10::Error& error) {
  return std::strstr(error.what(), "out of memory") != nullptr;
}

}  // namespace

torch::Tensor BatchLimit::run(std::int64_t rows, const Forward& forward) {
  std::vector<torch::Tensor> parts;
  for (std::int64_t first = 0; first < rows;) {
    const std::int64_t count = std::min(limit_ > 0 ? limit_ : rows, rows - first);
    try {
      parts.push_back(forward(first, count));
      first += count;
    } catch (const c10::Error& error) {
      if (!out_of_memory(error) || count == 1) throw;
      limit_ = count / 2;
    }
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

}  // namespace quasar::encoder
