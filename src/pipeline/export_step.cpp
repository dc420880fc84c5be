#include "pipeline/export_step.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/errors.h"
#include "base/logging.h"
#include "base/nearest_word.h"
#include "base/progress.h"

namespace quasar::pipeline {
namespace {

std::vector<const exports::ExportConfig*> chosen(const RunConfig& config,
                                                 const std::vector<std::string>& only) {
  if (config.exports.empty()) {
    base::fail(base::ExitCode::kConfig,
               "the configuration has no \"export\" section, which names what is written and where: export: "
               "{training: {format: webdataset, folder: FOLDER}}");
  }
  std::vector<const exports::ExportConfig*> all;
  std::vector<std::string> names;
  for (const auto& one : config.exports) {
    names.push_back(one.name);
    if (only.empty() || std::find(only.begin(), only.end(), one.name) != only.end()) all.push_back(&one);
  }
  for (const auto& name : only) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    base::fail(base::ExitCode::kConfig,
               "--only " + name + ": there is no such export" + base::did_you_mean(name, names));
  }
  return all;
}

/// "2 changed, 1 missing".
std::string counts_text(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [kind, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", base::with_thousands(count), kind);
  return text;
}

}  // namespace

void export_step(const RunConfig& config, const dataset::DataSet& corpus,
                 const std::vector<std::string>& only, exports::RetryLeftOut retry,
                 const comm::Communicator& comm) {
  exports::ExportInput input{
      config.run, config.corpus, static_cast<std::uint64_t>(config.decode.max_file_bytes), {}, {}};
  for (const auto& shard : corpus.plan().shards()) {
    input.shards.push_back(corpus.path(shard));
    input.shard_first.push_back(shard.first);
  }
  const auto wanted = chosen(config, only);
  comm.together([&] {
    for (const auto* one : wanted) exports::check_export(*one);
  });
  std::string faults;
  for (const auto* one : wanted) {
    const auto result = exports::write_export(*one, input, retry, comm);
    if (comm.is_root()) {
      base::log_info("export {}: {} of {} kept in {}, {}", one->name, base::counted(result.samples, "sample"),
                     base::with_thousands(result.rows), base::counted(result.shards, "shard"),
                     one->folder.string());
      for (const auto& [note, count] : result.notes)
        base::log_warning("export {}: {} {}", one->name, base::with_thousands(count), note);
    }
    if (result.left_out.empty()) continue;
    faults += fmt::format(
        "{}export {}: {} of {} kept rows were left out ({}); {} names each", faults.empty() ? "" : "\n",
        one->name, base::with_thousands(result.rows - result.samples), base::with_thousands(result.rows),
        counts_text(result.left_out), result.left_out_file.string());
  }
  if (faults.empty()) return;
  base::fail(
      base::ExitCode::kInput,
      faults + ". All else is written; with --retry-left-out the shards that lack rows are written again");
}

}  // namespace quasar::pipeline
