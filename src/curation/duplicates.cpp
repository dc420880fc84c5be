#include "curation/duplicates.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "comm/cores.h"
#include "curation/block_decision.h"
#include "curation/embedding_search.h"
#include "curation/hash_search.h"
#include "curation/originals.h"
#include "curation/row_messages.h"
#include "curation/row_prints.h"
#include "curation/row_states.h"
#include "curation/scratch_texts.h"

namespace quasar::curation {
namespace {

using cluster::NearPair;

/// Rows of the first block, and how many times as many each further one has.
constexpr std::uint64_t kFirstBlock = 1024;
constexpr std::uint64_t kGrowth = 8;

bool is_greedy_cosine(const DuplicateRule& rule) {
  return rule.cosine && rule.cosine_rule == CosineRule::kGreedy;
}

/// What rows are compared by, and how they stand, while a search goes on. All functions are collective.
class Solver {
 public:
  /// `memory`: bytes for this rank, what rows take themselves left out. All outlive it.
  Solver(const DuplicateRule& rule, std::uint64_t memory, RowPrints& prints, RowStates& rows,
         const std::function<bool()>& stop_requested)
      : rule_(rule),
        prints_(prints),
        rows_(rows),
        stop_requested_(stop_requested),
        messages_(rows.owners(), rows.comm()),
        most_pairs_(BlockDecision::most_pairs(memory)),
        memory_(memory - std::min(memory, BlockDecision::bytes_of(most_pairs_))),
        hashes_(rule, prints, rows, memory_, stop_requested) {}

  /// `folder`: for vectors that wait on disk.
  void solve(const std::filesystem::path& folder, const VectorsOf& vectors_of) {
    if (rule_.exact) find_equal(Likeness::kExact);
    if (rule_.perceptual) find_equal(Likeness::kPerceptual);
    if (rule_.perceptual || rule_.cosine) find_alike(folder, vectors_of);
    keep(rows_.choose([&](std::size_t i) { return rows_.is_open(i); }));
    follow(Likeness::kPerceptual);
    follow(Likeness::kExact);
  }

 private:
  void find_equal(Likeness likeness);
  void find_alike(const std::filesystem::path& folder, const VectorsOf& vectors_of);
  std::unique_ptr<EmbeddingSearch> open_embeddings(const std::filesystem::path& folder,
                                                   const VectorsOf& vectors_of);
  void leave_what_is_outside(LikenessSearch& search, cluster::ThreadTeam& team);
  void decide_blocks(std::span<LikenessSearch* const> searches, cluster::ThreadTeam& team);
  bool decide_block(std::span<LikenessSearch* const> searches, cluster::ThreadTeam& team, std::uint64_t begin,
                    std::uint64_t end);
  void leave_what_is_like_kept(std::span<LikenessSearch* const> searches, cluster::ThreadTeam& team,
                               std::uint64_t begin, std::uint64_t end);
  void leave_by_semdedup(EmbeddingSearch& search, cluster::ThreadTeam& team);
  void leave_worse(std::span<const NearPair> pairs, Likeness likeness);
  void keep(const Chosen& chosen);
  void follow(Likeness likeness);

  const DuplicateRule& rule_;
  RowPrints& prints_;
  RowStates& rows_;
  const std::function<bool()>& stop_requested_;
  RowMessages messages_;
  std::size_t most_pairs_;  ///< Of a block.
  std::uint64_t memory_;    ///< For searches.
  HashSearch hashes_;
};

/// Rows that are equal to one of a lower number follow it.
void Solver::find_equal(Likeness likeness) {
  const auto chosen =
      rows_.choose([&](std::size_t i) { return rows_.is_open(i) || i < rows_.outside_here(); });
  hashes_.find_equal(likeness, chosen, [&](std::uint64_t number, std::uint64_t lowest) {
    const std::size_t i = rows_.owners().local(number);
    if (i < rows_.outside_here()) return;
    rows_[i].standing = Standing::kFollows;
    rows_[i].likeness = likeness;
    rows_[i].other = lowest;
  });
}

void Solver::find_alike(const std::filesystem::path& folder, const VectorsOf& vectors_of) {
  // Before the team, beside which products would get one thread alone.
  const auto embeddings = rule_.cosine ? open_embeddings(folder, vectors_of) : nullptr;
  cluster::ThreadTeam team(comm::cores_of_rank(rows_.comm()));
  std::vector<LikenessSearch*> searches;
  if (rule_.perceptual) searches.push_back(&hashes_);
  if (rule_.cosine) searches.push_back(embeddings.get());
  for (auto* search : searches) {
    if (rows_.owners().outside() > 0) leave_what_is_outside(*search, team);
  }
  const bool greedy = is_greedy_cosine(rule_);
  if (rule_.cosine && !greedy) searches.pop_back();
  // What cannot be compared is like nothing.
  if (!greedy)
    keep(rows_.choose(
        [&](std::size_t i) { return rows_.is_open(i) && !prints_.can(i, Comparable::kPicture); }));
  decide_blocks(searches, team);
  if (rule_.cosine && !greedy) leave_by_semdedup(*embeddings, team);
}

std::unique_ptr<EmbeddingSearch> Solver::open_embeddings(const std::filesystem::path& folder,
                                                         const VectorsOf& vectors_of) {
  auto vectors = prints_.take_vectors();
  for (std::size_t i = rows_.outside_here(); i < rows_.size(); ++i) {
    if (!rows_.is_open(i)) vectors[i] = kNoVector;
  }
  cluster::CosineSettings settings;
  settings.threshold = rule_.least_cosine;
  settings.clusters = rule_.clusters;
  settings.clusters_of_row = is_greedy_cosine(rule_) ? 2 : 1;
  settings.folder = folder;
  settings.memory = memory_;
  return std::make_unique<EmbeddingSearch>(rows_, std::move(vectors), vectors_of, settings, stop_requested_);
}

/// Open rows that are like one of another set go, as like the nearest.
void Solver::leave_what_is_outside(LikenessSearch& search, cluster::ThreadTeam& team) {
  const auto take = [&](std::span<const NearPair> pairs) {
    messages_.deliver<NearPair>(
        pairs, [](const NearPair& pair) { return pair.probe; },
        [&](const NearPair& pair) {
          const std::size_t i = rows_.owners().local(pair.probe);
          rows_[i].standing = Standing::kGone;
          rows_.note_nearest(i, pair.home, pair.distance, search.likeness());
        });
  };
  search.with_outside(rows_.choose([&](std::size_t i) { return rows_.is_open(i); }), team, take);
}

void Solver::decide_blocks(std::span<LikenessSearch* const> searches, cluster::ThreadTeam& team) {
  const std::uint64_t all = rows_.owners().all();
  std::uint64_t block = kFirstBlock;
  for (std::uint64_t begin = rows_.owners().outside(); begin < all; block *= kGrowth) {
    std::uint64_t end = std::min(all, begin + block);
    // The outcome is the same for any blocks. One of a single row has no pairs.
    while (!decide_block(searches, team, begin, end)) {
      block = (end - begin) / 2;
      end = begin + block;
    }
    if (end < all) leave_what_is_like_kept(searches, team, begin, end);
    begin = end;
  }
}

/// False, with nothing decided, where the pairs within the block are more than memory holds.
bool Solver::decide_block(std::span<LikenessSearch* const> searches, cluster::ThreadTeam& team,
                          std::uint64_t begin, std::uint64_t end) {
  const auto in_block = rows_.choose([&](std::size_t i) {
    const std::uint64_t number = rows_.number(i);
    return rows_.is_open(i) && number >= begin && number < end;
  });
  BlockDecision decision(rows_, messages_, begin, end, most_pairs_);
  for (auto* search : searches) {
    search->within(in_block, team,
                   [&](std::span<const NearPair> pairs) { decision.add(pairs, search->likeness()); });
  }
  return decision.decide();
}

/// Of rows behind the block, those like a kept one of it.
void Solver::leave_what_is_like_kept(std::span<LikenessSearch* const> searches, cluster::ThreadTeam& team,
                                     std::uint64_t begin, std::uint64_t end) {
  // The same rows for all searches, so that what one finds does not hide what another would.
  const auto chosen = rows_.choose([&](std::size_t i) {
    const std::uint64_t number = rows_.number(i);
    return number >= end ? rows_.is_open(i) : number >= begin && rows_[i].standing == Standing::kKept;
  });
  for (auto* search : searches) {
    search->across(chosen, end, team,
                   [&](std::span<const NearPair> pairs) { leave_worse(pairs, search->likeness()); });
  }
}

/// Of rows that are kept so far, those like a better one of the same cluster, be that kept or not.
void Solver::leave_by_semdedup(EmbeddingSearch& search, cluster::ThreadTeam& team) {
  const auto kept = rows_.choose([&](std::size_t i) { return rows_[i].standing == Standing::kKept; });
  search.best_within(kept, team,
                     [&](std::span<const NearPair> pairs) { leave_worse(pairs, search.likeness()); });
}

/// The homes go, as like the probes.
void Solver::leave_worse(std::span<const NearPair> pairs, Likeness likeness) {
  messages_.deliver<NearPair>(
      pairs, [](const NearPair& pair) { return pair.home; },
      [&](const NearPair& pair) {
        const std::size_t i = rows_.owners().local(pair.home);
        rows_[i].standing = Standing::kGone;
        rows_.note_best(i, pair.probe, pair.distance, likeness);
      });
}

void Solver::keep(const Chosen& chosen) {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (chosen[i]) rows_[i].standing = Standing::kKept;
  }
}

/// Rows that follow another get its fate: the kept one they follow, or the one that it is like.
void Solver::follow(Likeness likeness) {
  struct Followed {
    std::uint64_t other = kNoRow;  ///< What the followed one is like; kNoRow where it is kept.
    std::uint32_t distance = 0;
    std::uint32_t likeness = 0;
  };
  std::vector<std::size_t> followers;
  std::vector<std::uint64_t> asked;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].standing != Standing::kFollows || rows_[i].likeness != likeness) continue;
    followers.push_back(i);
    asked.push_back(rows_[i].other);
  }
  std::vector<Followed> fates(asked.size());
  messages_.ask<Followed>(
      asked,
      [&](std::size_t i, std::vector<Followed>& answers) {
        const auto& row = rows_[i];
        QUASAR_CHECK(row.standing == Standing::kKept || row.standing == Standing::kGone);
        answers.push_back(row.standing == Standing::kKept
                              ? Followed{}
                              : Followed{row.other, row.distance, static_cast<std::uint32_t>(row.likeness)});
      },
      [&](std::size_t question, const std::vector<Followed>& answers, std::size_t& next) {
        fates[question] = answers[next++];
      });
  for (std::size_t f = 0; f < followers.size(); ++f) {
    auto& row = rows_[followers[f]];
    row.standing = Standing::kGone;
    if (fates[f].other == kNoRow) continue;
    row.other = fates[f].other;
    row.distance = static_cast<std::uint16_t>(fates[f].distance);
    row.likeness = static_cast<Likeness>(fates[f].likeness);
  }
}

}  // namespace

struct Duplicates::Impl {
  const DuplicateRule& rule;
  std::filesystem::path folder;
  std::uint64_t memory;
  const comm::Communicator& comm;
  VectorsOf vectors_of;
  RowPrints prints;
  ScratchTexts names;
  std::size_t outside_here = 0;
  // Once solved.
  std::optional<RowStates> rows;
  std::optional<Originals> originals;
  std::size_t given = 0;

  Impl(const DuplicateRule& r, const std::filesystem::path& scratch, std::uint64_t bytes,
       const comm::Communicator& ranks, VectorsOf vectors)
      : rule(r),
        folder(scratch),
        memory(bytes),
        comm(ranks),
        vectors_of(std::move(vectors)),
        prints(r, file("prints")),
        names(file("names")) {}

  std::filesystem::path file(const std::string& what) const {
    return folder / (what + "-" + std::to_string(comm.rank()));
  }
  void add(const Fingerprint& print, std::string_view name) {
    prints.add(print);
    names.append(name);
  }
  /// Of the memory, what rows do not take themselves.
  std::uint64_t memory_beside_rows() const {
    // How a row stands, its group, and how it can be compared.
    std::uint64_t own = rows->size() * (sizeof(RowState) + sizeof(std::uint64_t) + 1);
    // By row, also: which embedding, its clusters and places, and a bit for each of all ranks' rows.
    if (rule.cosine) own += rows->size() * 7 * sizeof(std::uint64_t) + rows->owners().all() / 4;
    return memory - std::min(memory, own);
  }
};

Duplicates::Duplicates(const DuplicateRule& rule, const std::filesystem::path& scratch, std::uint64_t memory,
                       const comm::Communicator& comm, VectorsOf vectors) {
  comm.together([&] {
    QUASAR_CHECK(!rule.cosine || vectors);
    impl_ = std::make_unique<Impl>(rule, scratch, memory, comm, std::move(vectors));
  });
}

Duplicates::~Duplicates() = default;

void Duplicates::add_outside(std::size_t set, const Fingerprint& print, std::string_view name) {
  QUASAR_CHECK(impl_->names.size() == impl_->outside_here && set < kMostSets);
  ++impl_->outside_here;
  impl_->add(print, std::string(1, static_cast<char>(set)) + std::string(name));
}

void Duplicates::add(const Fingerprint& print, std::string_view id) {
  impl_->add(print, id);
}

void Duplicates::solve(const std::function<bool()>& stop_requested) {
  auto& impl = *impl_;
  impl.comm.together([&] {
    impl.prints.finish();
    impl.names.finish();
  });
  auto& rows = impl.rows.emplace(impl.outside_here, impl.names.size() - impl.outside_here, impl.comm);
  Solver(impl.rule, impl.memory_beside_rows(), impl.prints, rows, stop_requested)
      .solve(impl.folder, impl.vectors_of);
  impl.originals.emplace(rows, impl.names, RowMessages(rows.owners(), impl.comm), impl.file("originals"));
}

bool Duplicates::stays(std::size_t place) const {
  const std::size_t i = impl_->outside_here + place;
  QUASAR_CHECK(i < impl_->rows->size());
  return (*impl_->rows)[i].standing != Standing::kGone;
}

Fate Duplicates::next() {
  auto& impl = *impl_;
  const std::size_t i = impl.outside_here + impl.given++;
  Fate fate;
  fate.group = impl.originals->group(i);
  const auto& row = (*impl.rows)[i];
  if (row.standing != Standing::kGone) return fate;
  fate.likeness = row.likeness;
  fate.outside = row.other < impl.rows->owners().outside();
  fate.distance = row.distance;
  fate.of = impl.originals->next_name();
  if (fate.outside) {
    fate.set = static_cast<unsigned char>(fate.of.front());
    fate.of.remove_prefix(1);
  }
  return fate;
}

std::uint64_t Duplicates::gone_before() const {
  return impl_->originals->gone_before();
}

}  // namespace quasar::curation
