#include "pipeline/await_written.h"

#include <optional>

#include "base/await_file.h"
#include "base/errors.h"
#include "base/stop_signal.h"

namespace quasar::pipeline {
namespace {

base::AwaitOptions options() {
  base::AwaitOptions options;
  options.between = [] {
    if (base::stop_requested()) base::fail(base::ExitCode::kInterrupted, base::stopped_message());
  };
  return options;
}

}  // namespace

void await_written(const std::filesystem::path& path) {
  base::await_file(path, options());
}

void await_written(const std::filesystem::path& path, const std::function<bool()>& ready) {
  base::await_file(path, ready, options());
}

corpus::Plan load_plan(const std::filesystem::path& folder, const comm::Communicator& comm) {
  std::optional<corpus::Plan> plan;
  std::string text;
  comm.on_root([&] {
    text = corpus::Plan::read_text(folder);
    plan.emplace(corpus::Plan::from_text(text, folder));
  });
  comm.broadcast(text);
  comm.together([&] {
    if (plan) return;
    await_written(folder / "items.jsonl", [&] { return corpus::Plan::has_items(text, folder); });
    plan.emplace(corpus::Plan::from_text(text, folder));
  });
  return *std::move(plan);
}

}  // namespace quasar::pipeline
