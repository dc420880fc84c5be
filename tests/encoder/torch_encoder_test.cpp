#include "encoder/torch_encoder.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <memory>

#include "encoder/network.h"
#include "encoder/random_weights.h"

namespace quasar::encoder {
namespace {

std::unique_ptr<TorchEncoder> made_encoder() {
  return std::make_unique<TorchEncoder>(make_network("dinov2-vit-s-14", random_weights("dinov2-vit-s-14", 1)),
                                        base::InputSpec{}, Fingerprint{"dinov2-vit-s-14", "", "", "float32"},
                                        torch::Device(torch::kCPU), torch::kFloat32);
}

TEST(TorchEncoder, KeepsOpenBlasToOneThreadWhileAnyLives) {
  const auto get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
  const auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (get == nullptr || set == nullptr) GTEST_SKIP() << "LibTorch runs on another BLAS here";
  const int original = get();
  set(2);
  auto first = made_encoder();
  EXPECT_EQ(get(), 1);
  auto second = made_encoder();
  first.reset();
  EXPECT_EQ(get(), 1);
  second.reset();
  EXPECT_EQ(get(), 2);
  set(original);
}

}  // namespace
}  // namespace quasar::encoder
