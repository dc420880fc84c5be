#include "pipeline/run_start.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/file_lock.h"
#include "base/file_status.h"
#include "base/logging.h"
#include "base/progress.h"
#include "curation/balance_rule.h"
#include "dataset/shard_encoder.h"
#include "pipeline/run_status.h"

namespace quasar::pipeline {
namespace {

bool is_frozen(const store::RunLayout& run) {
  return std::filesystem::exists(base::file_status(run.corpus().plan()));
}

corpus::Plan new_plan(const RunConfig& config) {
  auto plan = corpus::Plan::make(config.corpus);
  if (plan.item_count() > 0) return plan;
  std::string left_out;
  for (const auto& [reason, count] : plan.left_out())
    left_out += fmt::format("; left out: {} {}", count, reason);
  base::fail(base::ExitCode::kInput, "the corpus holds no image" + left_out);
}

/// A frozen plan as this job goes on with it.
corpus::Plan continued(const corpus::Plan& frozen, const RunConfig& config, FrozenPlan handling) {
  if (handling == FrozenPlan::kAsItIs) {
    frozen.check_sources(config.corpus);
    return frozen;
  }
  return frozen.extend(config.corpus, handling == FrozenPlan::kListed ? corpus::SourceCheck::kListing
                                                                      : corpus::SourceCheck::kStamps);
}

/// Refuses filters of columns that no row has.
void check_filters(const RunConfig& config, const corpus::Plan& plan) {
  const auto& filters = config.curation.filters;
  if (filters.empty()) return;
  std::vector<std::string> sets;
  for (const auto& anchor : config.anchors) sets.push_back(anchor.name);
  std::set<std::string> fields;
  if (curation::may_need_fields(filters, sets)) {
    for (const auto& shard : plan.shards()) {
      for (const auto& item : plan.read_items(shard)) {
        for (const auto& [name, value] : item.fields) fields.insert(name);
      }
      // The first shard has them, unless rows differ in their fields.
      try {
        curation::check_filter_columns(filters, sets, fields);
        return;
      } catch (const base::Error&) {
        base::note_activity();
      }
    }
  }
  curation::check_filter_columns(filters, sets, fields);
}

/// Refuses more clusters than there are rows.
void check_balance(const RunConfig& config, const corpus::Plan& plan) {
  const auto& balance = config.curation.balance;
  if (balance.any()) curation::check_clusters(balance, plan.item_count(), "which are all of the corpus");
}

/// Rows that a rank reads when it balances, at most.
std::int64_t largest_share(const corpus::Plan& plan, int ranks) {
  const auto& shards = plan.shards();
  std::vector<std::uint64_t> rows(static_cast<std::size_t>(ranks), 0);
  for (std::size_t i = 0; i < shards.size(); ++i)
    rows[curation::balancing_rank(i, shards.size(), rows.size())] += shards[i].count;
  return static_cast<std::int64_t>(*std::ranges::max_element(rows));
}

void report_plan(const RunConfig& config, const corpus::Plan& plan, const comm::Communicator& comm) {
  if (!comm.is_root()) return;
  base::log_info("{} in {}, {}, run directory {}", base::counted(plan.item_count(), "image"),
                 base::counted(plan.shards().size(), "shard"),
                 base::counted(static_cast<std::uint64_t>(comm.size()), "rank"), config.run.root().string());
  for (const auto& [reason, count] : plan.left_out())
    base::log_info("left out of the corpus: {} ({})", count, reason);
  for (const auto& [reason, count] : plan.noted())
    base::log_info("noted in the corpus: {} ({})", count, reason);
}

}  // namespace

RunDraft draft_run(const RunConfig& config, const comm::Communicator& comm, FrozenPlan handling) {
  const base::Phase phase("plan");
  RunDraft draft;
  draft.handling = handling;
  std::int64_t frozen = 0;
  std::int64_t begun = 0;
  std::int64_t largest = 0;
  std::int64_t share = 0;
  comm.on_root([&] {
    begun = store::has_identity(config.run) ? 1 : 0;
    if (begun != 0) store::check_identity(config.run, config.identity);
    frozen = is_frozen(config.run) ? 1 : 0;
    if (frozen != 0) {
      const auto plan = corpus::Plan::load(config.run.root());
      draft.based_on = plan.fingerprint();
      draft.plan = continued(plan, config, handling);
    } else {
      draft.plan = new_plan(config);
    }
    check_filters(config, *draft.plan);
    check_balance(config, *draft.plan);
    largest = static_cast<std::int64_t>(draft.plan->largest_shard());
    share = largest_share(*draft.plan, comm.size());
  });
  draft.frozen = comm.all_reduce(frozen, comm::Reduction::kMax) != 0;
  draft.begun = comm.all_reduce(begun, comm::Reduction::kMax) != 0;
  draft.largest_shard = static_cast<std::uint64_t>(comm.all_reduce(largest, comm::Reduction::kMax));
  draft.largest_share = static_cast<std::uint64_t>(comm.all_reduce(share, comm::Reduction::kMax));
  return draft;
}

dataset::DataSet freeze_run(const RunConfig& config, const RunDraft& draft, RunStart start,
                            const comm::Communicator& comm) {
  const base::Phase phase("plan");
  comm.on_root([&] {
    base::make_directories(config.run.state());
    // Other jobs may have begun the directory since the draft was made.
    const base::FileLock lock(config.run.start_lock());
    if (store::has_identity(config.run)) store::check_identity(config.run, config.identity);
    auto plan = *draft.plan;
    if (is_frozen(config.run)) {
      const auto found = corpus::Plan::load(config.run.root());
      if (found.fingerprint() != draft.based_on && found.fingerprint() != plan.fingerprint())
        plan = continued(found, config, draft.handling);
      if (plan.fingerprint() != found.fingerprint()) plan.save(config.run.root());
    } else {
      plan.save(config.run.root());
    }
    if (start == RunStart::kEmbedding && !store::has_identity(config.run))
      store::write_identity(config.run, config.identity);
    base::write_file_atomically(config.run.config(), config.effective);
  });
  dataset::DataSet corpus(config.run.corpus(), dataset::load_plan(config.run.root(), comm));
  report_plan(config, corpus.plan(), comm);
  return corpus;
}

DoneAlready done_already(const RunConfig& config, const RunDraft& draft,
                         const base::EncoderIdentity& encoder) {
  const dataset::DataSet corpus(config.run.corpus(), *draft.plan);
  const auto crashing = crashing_shards(corpus);
  DoneAlready done;
  for (const auto& shard : draft.plan->shards()) {
    if (crashing.contains(shard.id) || !corpus.has(shard, store::Integrity::kUnchecked)) continue;
    const auto reader = corpus.open(shard, dataset::WrittenBy::kEarlierJob, store::Integrity::kUnchecked);
    dataset::check_shard_encoder(corpus.path(shard), reader.header().encoder, encoder);
    ++done.shards;
    done.rows += shard.count;
  }
  return done;
}

dataset::DataSet load_run(const RunConfig& config, const comm::Communicator& comm) {
  const base::Phase phase("plan");
  comm.on_root([&] {
    if (!is_frozen(config.run) || !store::has_identity(config.run)) {
      base::fail(base::ExitCode::kInput,
                 config.run.root().string() + " is no run directory: run \"quasar run\" first");
    }
    store::check_identity(config.run, config.identity);
  });
  return {config.run.corpus(), dataset::load_plan(config.run.root(), comm)};
}

dataset::DataSet open_stored_run(const RunConfig& config, const comm::Communicator& comm) {
  auto corpus = load_run(config, comm);
  comm.on_root([&] {
    check_filters(config, corpus.plan());
    check_balance(config, corpus.plan());
  });
  comm.on_root([&] { base::write_file_atomically(config.run.config(), config.effective); });
  report_plan(config, corpus.plan(), comm);
  return corpus;
}

}  // namespace quasar::pipeline
