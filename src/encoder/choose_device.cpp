#include "encoder/choose_device.h"

#include <torch/cuda.h>

#include <string>

#include "base/errors.h"

namespace quasar::encoder {

torch::Device choose_device(const EncoderConfig& config, int local_rank) {
  const int devices = torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (config.device == DeviceKind::kCpu || (config.device == DeviceKind::kAuto && devices == 0))
    return torch::kCPU;
  if (devices == 0) {
    base::fail(
        base::ExitCode::kDevice,
        "a CUDA device is asked for, but LibTorch sees none on this machine; use a node with a GPU and a "
        "LibTorch built with CUDA, or the device cpu (key encoder.device)");
  }
  if (config.device_index >= devices) {
    base::fail(base::ExitCode::kDevice,
               "encoder.device asks for cuda:" + std::to_string(config.device_index) +
                   ", but there are only " + std::to_string(devices) + " CUDA devices here");
  }
  const int index = config.device_index >= 0 ? config.device_index : local_rank % devices;
  return torch::Device(torch::kCUDA, static_cast<torch::DeviceIndex>(index));
}

}  // namespace quasar::encoder
