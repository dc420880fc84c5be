// Decodes the files that it is told, as a run does: for tests/tools/compare_pictures.py.
//
//   picture_server QUASAR_DECODE [keep]
//
// Each line of the standard input is a path. The answer to each is a line of JSON (status, error, format,
// width, height, bytes) and, where there is a picture, `bytes` bytes of it: 8-bit RGB at the file's own size,
// row by row. `keep` is decode.truncated.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "base/atomic_file.h"
#include "base/status.h"
#include "decode/worker_pool.h"

int main(int argc, char** argv) {
  using namespace quasar;
  if (argc < 2) {
    std::fprintf(stderr, "picture_server: expected the path of quasar-decode\n");
    return 2;
  }
  decode::PoolConfig config;
  config.program = argv[1];
  config.spec = {.resize = base::ResizeRule::kNone, .center_crop = false};
  config.decode.max_pixels = 50'000'000;
  config.decode.timeout_s = 10;
  decode::WorkerPool pool(config);
  for (std::string path; std::getline(std::cin, path);) {
    const std::string file = base::read_file(path);
    const auto prepared = pool.decode(0, {.id = path}, std::as_bytes(std::span(file.data(), file.size())));
    if (!prepared) return 1;
    const auto& pixels = prepared->image.pixels;
    std::cout << nlohmann::json({{"status", base::status_name(prepared->status)},
                                 {"error", prepared->error},
                                 {"format", prepared->format},
                                 {"width", prepared->width},
                                 {"height", prepared->height},
                                 {"bytes", pixels.size()}})
                     .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
              << '\n';
    std::cout.write(reinterpret_cast<const char*>(pixels.data()),
                    static_cast<std::streamsize>(pixels.size()));
    std::cout.flush();
  }
  return 0;
}
