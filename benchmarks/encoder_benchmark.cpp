// Full-size encoders with made-up weights: images/s and FLOP rate, as a fraction of the rate of a large
// matrix product measured in the same run, on the same device, type and threads.
//
//   encoder_benchmark [--device cpu|cuda|cuda:K] [--batch N] [--threads N] [--seconds S] [--dtypes a,b]
//                     [--presets a,b | all]
//
// Forward passes and matrix products take turns, and the fastest of each counts, so that other load on the
// machine disturbs both alike. On a CPU, N threads make calls of their own side by side, as the jobs do; each
// is timed by the time that it was given, and rates are summed. FLOPs are
// those of the products and convolutions that the forward pass really does (the last block of a transformer
// computes the token that is used, no other). With bfloat16 or float16 the cosine of the embeddings with the
// float32 ones is printed, lowest and mean over the batch; weights are random, so it is a bound on rounding,
// not a statement on scores.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/errors.h"
#include "base/single_threaded_blas.h"
#include "encoder/gpu_arithmetic.h"
#include "encoder/network_factory.h"
#include "encoder/random_weights.h"

namespace {

using quasar::base::ExitCode;
using quasar::base::fail;

struct Options {
  torch::Device device = torch::kCPU;
  int batch = 8;
  int threads = 1;
  double seconds = 5.0;
  std::vector<std::string> dtypes = {"float32", "bfloat16"};
  std::vector<std::string> presets = {"clip-rn50", "vit-l-14", "vit-h-14", "coca-vit-l-14",
                                      "dinov2-vit-l-14"};
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
  return parts;
}

std::vector<std::string> all_presets() {
  std::vector<std::string> names;
  for (const quasar::encoder::Architecture& preset : quasar::encoder::architectures())
    if (preset.name.find("-any") == std::string::npos) names.push_back(preset.name);
  return names;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string key = argv[i];
    if (i + 1 == argc) fail(ExitCode::kUsage, key + " needs a value");
    const std::string value = argv[i + 1];
    if (key == "--device") {
      options.device = torch::Device(value);
    } else if (key == "--batch") {
      options.batch = std::stoi(value);
    } else if (key == "--threads") {
      options.threads = std::stoi(value);
    } else if (key == "--seconds") {
      options.seconds = std::stod(value);
    } else if (key == "--dtypes") {
      options.dtypes = split(value);
    } else if (key == "--presets") {
      options.presets = value == "all" ? all_presets() : split(value);
    } else {
      fail(ExitCode::kUsage, "unknown option " + key);
    }
  }
  if (options.batch < 1 || options.threads < 1)
    fail(ExitCode::kUsage, "--batch and --threads need at least 1");
  if (options.threads > 1 && !options.device.is_cpu())
    fail(ExitCode::kUsage, "--threads is for the CPU; a GPU takes one call at a time");
  return options;
}

torch::ScalarType scalar_type(const std::string& name) {
  if (name == "float32") return torch::kFloat32;
  if (name == "bfloat16") return torch::kBFloat16;
  if (name == "float16") return torch::kFloat16;
  fail(ExitCode::kUsage, "unknown type " + name + "; there are float32, bfloat16 and float16");
}

/// Seconds by a clock of the system.
double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// What runs are timed with: wall time, or the time that the calling thread was really given.
clockid_t timing_clock = CLOCK_MONOTONIC;

/// Seconds of one run; `action` returns a tensor that is waited for.
double time_once(const std::function<torch::Tensor()>& action) {
  const double start = seconds_of(timing_clock);
  const torch::Tensor result = action();
  // Reading one value waits for the device.
  static_cast<void>(result.flatten()[0].to(torch::kFloat32).item<float>());
  return seconds_of(timing_clock) - start;
}

/// A square matrix product large enough to reach the device's rate.
class Product {
 public:
  Product(torch::Device device, torch::ScalarType type) : size_(device.is_cpu() ? 2048 : 8192) {
    const auto options = torch::TensorOptions().device(device);
    a_ = at::randn({size_, size_}, options).to(type);
    b_ = at::randn({size_, size_}, options).to(type);
    time_once([this] { return at::mm(a_, b_); });
  }
  double rate() const {
    return 2.0 * static_cast<double>(size_ * size_ * size_) / time_once([this] { return at::mm(a_, b_); });
  }

 private:
  std::int64_t size_;
  torch::Tensor a_;
  torch::Tensor b_;
};

struct Measured {
  double images_per_second = 0.0;
  double rate = 0.0;          ///< FLOP/s of the network.
  double product_rate = 0.0;  ///< FLOP/s of the matrix product.
};

Measured measure(quasar::encoder::Network& network, const torch::Tensor& pixels, const Product& product,
                 double seconds) {
  const auto forward = [&] { return network.forward(pixels); };
  time_once(forward);
  Measured measured;
  double best = std::numeric_limits<double>::infinity();
  const double start = seconds_of(CLOCK_MONOTONIC);
  do {
    measured.product_rate = std::max(measured.product_rate, product.rate());
    best = std::min(best, time_once(forward));
    measured.product_rate = std::max(measured.product_rate, product.rate());
  } while (seconds_of(CLOCK_MONOTONIC) - start < seconds);
  measured.images_per_second = static_cast<double>(pixels.size(0)) / best;
  measured.rate = measured.images_per_second *
                  network.flops_per_image(static_cast<int>(pixels.size(2)), static_cast<int>(pixels.size(3)));
  return measured;
}

/// `measure` in every thread at once; the sum.
Measured measure_side_by_side(quasar::encoder::Network& network, const torch::Tensor& pixels,
                              const Product& product, const Options& options) {
  std::vector<Measured> parts(static_cast<std::size_t>(options.threads));
  std::vector<std::thread> threads;
  threads.reserve(parts.size());
  for (Measured& part : parts)
    threads.emplace_back([&] {
      const c10::InferenceMode inference;
      if (options.device.is_cpu()) at::set_num_threads(1);
      part = measure(network, pixels, product, options.seconds);
    });
  for (std::thread& thread : threads) thread.join();
  Measured sum;
  for (const Measured& part : parts) {
    sum.images_per_second += part.images_per_second;
    sum.rate += part.rate;
    sum.product_rate += part.product_rate;
  }
  return sum;
}

void run_preset(const std::string& name, const Options& options) {
  const auto& presets = quasar::encoder::architectures();
  const auto preset =
      std::find_if(presets.begin(), presets.end(), [&](const auto& p) { return p.name == name; });
  const int side = preset == presets.end() ? 224 : preset->input.size;
  auto network = quasar::encoder::make_network(name, quasar::encoder::random_weights(name, 1));
  network->to(options.device, torch::kFloat32);
  const torch::Tensor pixels =
      at::randn({options.batch, 3, side, side}, torch::TensorOptions().device(options.device));
  torch::Tensor reference;
  for (const std::string& dtype : options.dtypes) {
    const torch::ScalarType type = scalar_type(dtype);
    if (!reference.defined()) reference = network->forward(pixels);
    network->to(options.device, type);
    const torch::Tensor input = pixels.to(type);
    const torch::Tensor found = network->forward(input);
    const torch::Tensor cosine =
        (found * reference).sum(1) / (found.norm(2, {1}, false) * reference.norm(2, {1}, false));
    const Measured measured = measure_side_by_side(*network, input, Product(options.device, type), options);
    std::printf("%-22s %5d px %13lld %-9s %9.2f %9.1f %9.1f %6.1f%%  %.6f %.6f\n", name.c_str(), side,
                static_cast<long long>(network->parameter_count()), dtype.c_str(), measured.images_per_second,
                measured.rate * 1e-9, measured.product_rate * 1e-9,
                100.0 * measured.rate / measured.product_rate, cosine.min().item<double>(),
                cosine.mean().item<double>());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    const quasar::base::SingleThreadedBlas blas;
    if (options.device.is_cpu()) {
      at::set_num_threads(1);
      timing_clock = CLOCK_THREAD_CPUTIME_ID;
    } else {
      quasar::encoder::compute_as_named_and_repeatably();
    }
    const c10::InferenceMode inference;
    std::printf("device %s, batch %d, threads %d\n", options.device.str().c_str(), options.batch,
                options.threads);
    std::printf("%-22s %8s %13s %-9s %9s %9s %9s %7s  %s\n", "preset", "side", "parameters", "type",
                "images/s", "GFLOP/s", "GEMM", "share", "cosine with float32: lowest, mean");
    for (const std::string& name : options.presets) run_preset(name, options);
    return 0;
  } catch (const quasar::base::Error& error) {
    std::fprintf(stderr, "encoder_benchmark: %s\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "encoder_benchmark: %s\n", error.what());
    return static_cast<int>(ExitCode::kInternal);
  }
}
