#include "base/logging.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

namespace quasar::base {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> make_logger(const std::string& rank) {
  auto logger = std::make_shared<spdlog::logger>("quasar", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S " + rank + "%l: %v");
  logger->flush_on(spdlog::level::info);
  return logger;
}

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = make_logger("");
  return instance;
}

}  // namespace

void configure_logging(int rank, int ranks, LogLevel least) {
  logger() = make_logger(ranks > 1 ? "[" + std::to_string(rank) + "/" + std::to_string(ranks) + "] " : "");
  logger()->set_level(to_spdlog(least));
}

void log_line(LogLevel level, std::string_view text) {
  logger()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace quasar::base
