#include "curation/duplicates.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "base/activity.h"
#include "base/errors.h"
#include "base/packer.h"
#include "base/unpacker.h"
#include "cluster/cosine_pairs.h"
#include "cluster/equal_hashes.h"
#include "cluster/hamming_pairs.h"
#include "comm/cores.h"
#include "curation/row_owners.h"
#include "curation/scratch_texts.h"

namespace quasar::curation {
namespace {

using cluster::HashBits;
using cluster::HashedRow;
using cluster::HashSource;
using cluster::HashStream;
using cluster::NearPair;

constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
/// Rows of the first block, and how many times as many each further one has.
constexpr std::uint64_t kFirstBlock = 1024;
constexpr std::uint64_t kGrowth = 8;
/// Of what rows leave, the pairs within a block take one of so many parts, but at least so many pairs.
constexpr std::uint64_t kEdgesShare = 8;
constexpr std::size_t kLeastEdges = std::size_t{1} << 16U;
/// Questions that a rank asks at once.
constexpr std::size_t kAskedAtOnce = std::size_t{1} << 15U;

enum class State : std::uint8_t {
  kOpen,
  kKept,
  kGone,    ///< Like the row `other`, which is kept.
  kFollows  ///< Equal to the row `other`, with which it stays or goes.
};

struct RowState {
  std::uint64_t other = kNone;
  std::uint32_t waits_for = 0;  ///< Better rows in its block that are like it and have not decided.
  std::uint16_t distance = 0;
  State state = State::kOpen;
  Likeness likeness = Likeness::kNone;
};

std::uint64_t parse_digits(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0)
      base::fail(base::ExitCode::kInput,
                 "'" + std::string(digits) + "' is no part of a hash in hexadecimal digits");
    value = value << 4U | static_cast<std::uint64_t>(digit);
  }
  return value;
}

constexpr std::size_t kBytesDigits = 32;
constexpr std::size_t kElementDigits = 16;

/// Of the digits of PDQ, or of xxh128.
HashBits bits_of(std::string_view digits) {
  HashBits bits{};
  const std::size_t elements = digits.size() / kElementDigits;
  for (std::size_t i = 0; i < elements; ++i)
    bits[elements - 1 - i] = parse_digits(digits.substr(i * kElementDigits, kElementDigits));
  return bits;
}

bool bit(std::span<const char> bits, std::uint64_t number) {
  return (static_cast<unsigned char>(bits[number / 8]) >> (number % 8) & 1U) != 0;
}

/// What lies on disk of a row: the bits of its xxh128, where it has one, and of its hashes.
class Record {
 public:
  static std::string pack(const Fingerprint& print, bool bytes, bool pictures) {
    std::string record(1, bytes ? 'b' : '-');
    if (bytes) base::pack(bits_of(print.bytes_hash), record);
    for (std::size_t at = 0; pictures && at + kPictureDigits <= print.picture.size(); at += kPictureDigits)
      base::pack(bits_of(print.picture.substr(at, kPictureDigits)), record);
    return record;
  }
  explicit Record(std::string_view packed) : rest_(packed.substr(1)) {
    if (packed[0] != 'b') return;
    bytes_ = rest_.substr(0, sizeof(HashBits));
    rest_.remove_prefix(sizeof(HashBits));
  }
  HashBits bytes() const { return base::load<HashBits>(std::as_bytes(std::span(bytes_)), 0); }
  std::size_t pictures() const { return rest_.size() / sizeof(HashBits); }
  HashBits picture(std::size_t pose) const {
    return base::load<HashBits>(std::as_bytes(std::span(rest_)), pose * sizeof(HashBits));
  }

 private:
  std::string_view rest_;
  std::string_view bytes_;
};

/// To the owner of a row: a better one that is like it, and whether that one is kept.
struct Word {
  std::uint64_t row = 0;
  std::uint64_t better = 0;
  std::uint32_t distance = 0;
  std::uint16_t kept = 0;
  Likeness likeness = Likeness::kNone;
};

/// What pairs of rows are alike by, beside them.
struct Edge {
  std::uint64_t better = 0;
  std::uint64_t worse = 0;
  std::uint32_t distance = 0;
  Likeness likeness = Likeness::kNone;
};

/// Embeddings of rows, under the numbers of the rows.
class NumberedVectors final : public cluster::RowSource {
 public:
  NumberedVectors(std::unique_ptr<cluster::RowSource> vectors, std::vector<std::uint64_t> rows)
      : vectors_(std::move(vectors)), rows_(std::move(rows)) {}
  std::size_t dimension() const override { return vectors_->dimension(); }
  std::int64_t size() const override { return vectors_->size(); }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    vectors_->read(first, count, values, {});
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = static_cast<std::int64_t>(rows_[static_cast<std::size_t>(first) + i]);
  }

 private:
  std::unique_ptr<cluster::RowSource> vectors_;
  std::vector<std::uint64_t> rows_;
};

}  // namespace

struct Duplicates::Impl {
  const DuplicateRule& rule;
  std::uint64_t memory;
  const comm::Communicator& comm;
  std::filesystem::path folder;
  VectorsOf vectors_of;
  ScratchTexts prints;
  ScratchTexts names;
  std::uint64_t outside_here = 0;
  std::optional<RowOwners> owners;
  std::vector<char> usable;  ///< By row: whether bytes (1), picture (2), embedding (4) can be compared.
  std::vector<RowState> rows;
  std::optional<cluster::ThreadTeam> team;
  std::function<bool()> stop_requested;
  // Of the block at hand, on the owner of the better row.
  std::vector<Edge> edges;
  std::size_t most_edges = 0;
  bool too_many_edges = false;
  std::vector<std::uint64_t> vector_numbers;  ///< By row, where cosines are asked for.
  std::optional<cluster::CosinePairs> cosines;
  // After solving.
  ScratchTexts originals;  ///< Name of what each row that goes is like.
  std::vector<std::uint64_t> groups;
  std::optional<ScratchTexts::Cursor> next_original;
  std::size_t given = 0;
  std::uint64_t gone_before = 0;

  Impl(const DuplicateRule& r, const std::filesystem::path& scratch, std::uint64_t bytes,
       const comm::Communicator& ranks, VectorsOf vectors)
      : rule(r),
        memory(bytes),
        comm(ranks),
        folder(scratch),
        vectors_of(std::move(vectors)),
        prints(scratch / ("prints-" + std::to_string(ranks.rank()))),
        names(scratch / ("names-" + std::to_string(ranks.rank()))),
        originals(scratch / ("originals-" + std::to_string(ranks.rank()))) {}

  static constexpr int kBytes = 1;
  static constexpr int kPicture = 2;
  static constexpr int kVector = 4;

  void add(const Fingerprint& print, std::string_view name) {
    const bool bytes = print.bytes_hash.size() == kBytesDigits;
    const bool picture = print.picture.size() >= kPictureDigits && print.quality >= rule.quality;
    const bool vector = print.vector != kNoVector;
    usable.push_back(static_cast<char>((rule.exact && bytes ? kBytes : 0) |
                                       (rule.perceptual && picture ? kPicture : 0) |
                                       (rule.cosine && vector ? kVector : 0)));
    prints.append(Record::pack(print, rule.exact && bytes, rule.perceptual && picture));
    names.append(name);
    if (rule.cosine) vector_numbers.push_back(print.vector);
  }

  bool can(std::size_t i, int what) const { return (usable[i] & what) != 0; }
  bool is_open(std::size_t i) const { return rows[i].state == State::kOpen; }
  /// Notes that the row is like a kept one; the best of these stands.
  void leave(std::size_t i, std::uint64_t kept, std::uint64_t distance, Likeness likeness) {
    auto& row = rows[i];
    const auto found = std::tuple(kept, likeness, static_cast<std::uint16_t>(distance));
    if (found < std::tuple(row.other, row.likeness, row.distance) || row.other == kNone)
      std::tie(row.other, row.likeness, row.distance) = found;
  }

  /// What a pass over this rank's rows gives of each.
  enum class Hashes { kBytes, kUpright, kAllPoses };
  HashSource source(Hashes hashes, const std::function<bool(std::size_t)>& wanted) const;

  void find_equal(Likeness likeness);
  void find_alike();
  void leave_what_is_outside();
  void leave_what_is_outside_by_cosine();
  /// Rows here (the probes) are like those of other sets (the homes), of which the nearest is noted.
  /// Collective.
  void leave_to_nearest(std::span<const NearPair> pairs, Likeness likeness);
  void open_cosines();
  bool greedy_cosines() const { return rule.cosine && rule.cosine_rule == CosineRule::kGreedy; }
  /// One bit for each row of all ranks; `is_set` is asked of none of another set. Collective.
  std::vector<char> bits_of_all(const std::function<bool(std::size_t)>& is_set) const;
  /// Rows are like those in `pairs`, each told to its owner, who `take`s it. Collective.
  void leave_all(std::span<const NearPair> pairs, Likeness likeness);
  void add_edges(std::span<const NearPair> pairs, Likeness likeness);
  void leave_by_semdedup();
  /// False, with nothing decided, where the pairs within the block are more than memory holds. Collective.
  bool decide_block(std::uint64_t begin, std::uint64_t end);
  void leave_what_is_like_kept(std::uint64_t begin, std::uint64_t end);
  void settle();
  void follow(Likeness likeness);
  void count_groups();
  void name_originals();

  /// Hands each rank the values that are its own, a row's owner given by `row_of`.
  template <typename T, typename RowOf, typename Take>
  void deliver(std::span<const T> values, const RowOf& row_of, const Take& take) const {
    std::vector<std::vector<T>> parts(static_cast<std::size_t>(comm.size()));
    for (const auto& value : values) parts[owners->owner(row_of(value))].push_back(value);
    for (const auto& part : comm.exchange(parts)) {
      for (const auto& value : part) take(value);
    }
  }

  /// For each of the rows `asked`: what `answer` gives on the rank that owns it. Collective; `take` gets the
  /// answers in the order of the questions.
  template <typename T, typename Answer, typename Take>
  void ask(std::span<const std::uint64_t> asked, const Answer& answer, const Take& take) const;
};

/// Rows of this rank, in order, of which `wanted` says so now: a search that goes through its rows several
/// times finds the same ones each time, however many have gone by then.
HashSource Duplicates::Impl::source(Hashes hashes, const std::function<bool(std::size_t)>& wanted) const {
  auto now = std::make_shared<std::vector<bool>>(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) (*now)[i] = wanted(i);
  return [this, hashes, wanted = std::shared_ptr<const std::vector<bool>>(std::move(now))]() -> HashStream {
    struct Pass {
      std::size_t at = 0;
      std::optional<ScratchTexts::Cursor> cursor;
      std::size_t read = 0;  ///< Place of what the cursor gives next.
    };
    auto pass = std::make_shared<Pass>();
    return [this, hashes, wanted, pass](std::vector<HashedRow>& chunk, std::size_t most) {
      if (stop_requested && stop_requested())
        base::fail(base::ExitCode::kInterrupted,
                   "stopped while looking for duplicates; the same command starts again");
      chunk.clear();
      for (; pass->at < rows.size() && chunk.size() < most; ++pass->at) {
        if (!(*wanted)[pass->at]) continue;
        constexpr std::size_t kNear = 256;
        if (!pass->cursor || pass->at - pass->read > kNear) {
          pass->cursor.emplace(prints, pass->at);
          pass->read = pass->at;
        }
        std::string_view packed;
        while (pass->read <= pass->at) {
          packed = pass->cursor->next();
          ++pass->read;
        }
        const Record record(packed);
        const std::uint64_t number = owners->number(pass->at);
        if (hashes == Hashes::kBytes) {
          chunk.push_back({record.bytes(), number});
          continue;
        }
        const std::size_t count = hashes == Hashes::kUpright
                                      ? 1
                                      : std::min(record.pictures(), static_cast<std::size_t>(rule.poses));
        for (std::size_t pose = 0; pose < count; ++pose) chunk.push_back({record.picture(pose), number});
      }
    };
  };
}

/// Rows that are equal to one of a lower number follow it.
void Duplicates::Impl::find_equal(Likeness likeness) {
  const bool exact = likeness == Likeness::kExact;
  cluster::find_equal(source(exact ? Hashes::kBytes : Hashes::kUpright,
                             [&](std::size_t i) {
                               return can(i, exact ? kBytes : kPicture) && (is_open(i) || i < outside_here);
                             }),
                      memory, comm, [&](std::uint64_t number, std::uint64_t lowest) {
                        const std::size_t i = owners->local(number);
                        if (i < outside_here) return;
                        rows[i].state = State::kFollows;
                        rows[i].likeness = likeness;
                        rows[i].other = lowest;
                      });
}

/// Rows of other sets are like those here, in whatever pose these are.
void Duplicates::Impl::leave_what_is_outside() {
  const cluster::NearSearch search{
      .probes = source(Hashes::kAllPoses, [&](std::size_t i) { return is_open(i) && can(i, kPicture); }),
      .homes = source(Hashes::kUpright, [&](std::size_t i) { return i < outside_here && can(i, kPicture); }),
      .threshold = static_cast<unsigned>(rule.threshold),
      .memory = memory};
  cluster::find_near(search, *team, comm, [&](std::span<const NearPair> pairs) {
    leave_to_nearest(pairs, Likeness::kPerceptual);
  });
}

/// The same by embeddings, of those that share a cluster.
void Duplicates::Impl::leave_what_is_outside_by_cosine() {
  const auto open = bits_of_all([&](std::size_t i) { return is_open(i); });
  std::vector<NearPair> turned;
  cosines->find({.probe = [&](std::uint64_t number) { return number < owners->outside(); },
                 .home = [&](std::uint64_t number) { return bit(open, number); }},
                *team, [&](std::span<const NearPair> pairs) {
                  turned.clear();
                  for (const auto& pair : pairs) turned.push_back({pair.home, pair.probe, pair.distance});
                  leave_to_nearest(turned, Likeness::kCosine);
                });
}

void Duplicates::Impl::leave_to_nearest(std::span<const NearPair> pairs, Likeness likeness) {
  deliver<NearPair>(
      pairs, [](const NearPair& pair) { return pair.probe; },
      [&](const NearPair& pair) {
        auto& row = rows[owners->local(pair.probe)];
        row.state = State::kGone;
        row.likeness = likeness;
        const auto found = std::pair(static_cast<std::uint16_t>(pair.distance), pair.home);
        if (row.other == kNone || found < std::pair(row.distance, row.other))
          std::tie(row.distance, row.other) = found;
      });
}

bool Duplicates::Impl::decide_block(std::uint64_t begin, std::uint64_t end) {
  const auto in_block = [&](std::size_t i) {
    const std::uint64_t number = owners->number(i);
    return is_open(i) && number >= begin && number < end;
  };
  edges.clear();
  too_many_edges = false;
  if (rule.perceptual) {
    const cluster::NearSearch search{
        .probes = source(Hashes::kAllPoses, [&](std::size_t i) { return in_block(i) && can(i, kPicture); }),
        .homes = source(Hashes::kUpright, [&](std::size_t i) { return in_block(i) && can(i, kPicture); }),
        .threshold = static_cast<unsigned>(rule.threshold),
        .one_set = true,
        .memory = memory};
    cluster::find_near(search, *team, comm,
                       [&](std::span<const NearPair> pairs) { add_edges(pairs, Likeness::kPerceptual); });
  }
  if (greedy_cosines()) {
    const auto open = bits_of_all(in_block);
    const auto is_set = [&](std::uint64_t number) { return bit(open, number); };
    cosines->find({.probe = is_set, .home = is_set}, *team,
                  [&](std::span<const NearPair> pairs) { add_edges(pairs, Likeness::kCosine); });
  }
  if (comm.all_reduce(std::int64_t{too_many_edges ? 1 : 0}, comm::Reduction::kMax) != 0) {
    for (std::size_t i = owners->first_local(begin); i < owners->first_local(end); ++i) rows[i].waits_for = 0;
    return false;
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return std::tuple(a.better, a.worse, a.likeness) < std::tuple(b.better, b.worse, b.likeness);
  });

  std::vector<Word> here;   // To rows of this rank.
  std::vector<Word> there;  // To others.
  const auto decide = [&](std::size_t i, State state) {
    rows[i].state = state;
    const std::uint64_t number = owners->number(i);
    auto edge = std::lower_bound(edges.begin(), edges.end(), number,
                                 [](const Edge& one, std::uint64_t wanted) { return one.better < wanted; });
    for (; edge != edges.end() && edge->better == number; ++edge) {
      const Word word{edge->worse, number, edge->distance,
                      static_cast<std::uint16_t>(state == State::kKept ? 1 : 0), edge->likeness};
      (owners->is_local(word.row) ? here : there).push_back(word);
    }
  };
  const auto hear = [&](const Word& word) {
    const std::size_t i = owners->local(word.row);
    auto& row = rows[i];
    --row.waits_for;
    if (word.kept != 0) leave(i, word.better, word.distance, word.likeness);
    if (row.state != State::kOpen) return;
    if (word.kept != 0) {
      decide(i, State::kGone);
    } else if (row.waits_for == 0) {
      decide(i, State::kKept);
    }
  };
  for (std::size_t i = owners->first_local(begin); i < owners->first_local(end); ++i) {
    if (is_open(i) && rows[i].waits_for == 0) decide(i, State::kKept);
  }
  while (true) {
    while (!here.empty()) {
      const Word word = here.back();
      here.pop_back();
      hear(word);
    }
    const auto said = std::exchange(there, {});
    if (comm.all_reduce(static_cast<std::int64_t>(said.size()), comm::Reduction::kMax) == 0) break;
    deliver<Word>(
        said, [](const Word& word) { return word.row; }, hear);
    base::note_activity();
  }
  return true;
}

void Duplicates::Impl::add_edges(std::span<const NearPair> pairs, Likeness likeness) {
  // To both, of which one may be on the same rank as the other.
  std::vector<std::vector<NearPair>> parts(static_cast<std::size_t>(comm.size()));
  for (const auto& pair : pairs) {
    const std::size_t better = owners->owner(pair.probe);
    parts[better].push_back(pair);
    if (const std::size_t worse = owners->owner(pair.home); worse != better) parts[worse].push_back(pair);
  }
  for (const auto& part : comm.exchange(parts)) {
    too_many_edges = too_many_edges || edges.size() + part.size() > most_edges;
    if (too_many_edges) continue;
    for (const auto& pair : part) {
      if (owners->is_local(pair.probe))
        edges.push_back({pair.probe, pair.home, static_cast<std::uint32_t>(pair.distance), likeness});
      if (owners->is_local(pair.home)) ++rows[owners->local(pair.home)].waits_for;
    }
  }
}

void Duplicates::Impl::leave_all(std::span<const NearPair> pairs, Likeness likeness) {
  deliver<NearPair>(
      pairs, [](const NearPair& pair) { return pair.home; },
      [&](const NearPair& pair) {
        const std::size_t i = owners->local(pair.home);
        rows[i].state = State::kGone;
        leave(i, pair.probe, pair.distance, likeness);
      });
}

std::vector<char> Duplicates::Impl::bits_of_all(const std::function<bool(std::size_t)>& is_set) const {
  std::vector<char> bits((owners->all() + 7) / 8, 0);
  std::string mine;
  std::uint64_t first = 0;
  // None is of another set: a rank's others lie together.
  const std::size_t count = rows.size() - outside_here;
  if (count > 0) {
    first = owners->number(outside_here) / 8;
    mine.assign(owners->number(rows.size() - 1) / 8 - first + 1, 0);
  }
  for (std::size_t i = outside_here; i < rows.size(); ++i) {
    const std::uint64_t number = owners->number(i);
    if (is_set(i))
      mine[number / 8 - first] =
          static_cast<char>(static_cast<unsigned char>(mine[number / 8 - first]) | 1U << (number % 8));
  }
  std::string packed;
  base::pack(first, packed);
  for (const auto& part : comm.all_gather(packed + mine)) {
    const auto at = base::load<std::uint64_t>(std::as_bytes(std::span(part)), 0);
    for (std::size_t i = sizeof(at); i < part.size(); ++i) bits[at + i - sizeof(at)] |= part[i];
  }
  return bits;
}

/// Sends the rows whose embeddings are compared to ranks by the place of these, so that each reads a stretch.
void Duplicates::Impl::open_cosines() {
  struct Numbered {
    std::uint64_t vector = 0;
    std::uint64_t row = 0;
  };
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  const auto is_compared = [&](std::size_t i) { return can(i, kVector) && (i < outside_here || is_open(i)); };
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (is_compared(i)) end = std::max(end, vector_numbers[i] + 1);
  }
  end = static_cast<std::uint64_t>(comm.all_reduce(static_cast<std::int64_t>(end), comm::Reduction::kMax));
  std::vector<std::vector<Numbered>> parts(ranks);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!is_compared(i)) continue;
    const std::uint64_t rank = vector_numbers[i] / ((end + ranks - 1) / ranks);
    parts[rank].push_back({vector_numbers[i], owners->number(i)});
  }
  vector_numbers = {};
  std::vector<Numbered> mine;
  for (const auto& part : comm.exchange(parts)) mine.insert(mine.end(), part.begin(), part.end());
  parts.clear();
  std::ranges::sort(mine, {}, &Numbered::vector);
  std::optional<NumberedVectors> source;
  comm.together([&] {
    std::vector<std::uint64_t> vectors;
    std::vector<std::uint64_t> numbers;
    for (const auto& row : mine) {
      vectors.push_back(row.vector);
      numbers.push_back(row.row);
    }
    mine = {};
    source.emplace(vectors_of(std::move(vectors)), std::move(numbers));
  });
  cluster::CosineSettings settings;
  settings.threshold = rule.least_cosine;
  settings.clusters = rule.clusters;
  settings.clusters_of_row = greedy_cosines() ? 2 : 1;
  settings.folder = folder;
  settings.memory = memory;
  cosines.emplace(*source, settings, comm, stop_requested);
}

/// Of rows that are kept so far, those like a better one of the same cluster, be that kept or not.
void Duplicates::Impl::leave_by_semdedup() {
  const auto kept = bits_of_all([&](std::size_t i) { return rows[i].state == State::kKept; });
  const auto is_set = [&](std::uint64_t number) { return bit(kept, number); };
  cosines->find({.probe = is_set, .home = is_set, .best_only = true}, *team,
                [&](std::span<const NearPair> pairs) { leave_all(pairs, Likeness::kCosine); });
}

void Duplicates::Impl::leave_what_is_like_kept(std::uint64_t begin, std::uint64_t end) {
  const auto is_probe = [&](std::size_t i) {
    const std::uint64_t number = owners->number(i);
    return i >= outside_here && rows[i].state == State::kKept && number >= begin && number < end;
  };
  const auto is_home = [&](std::size_t i) { return is_open(i) && owners->number(i) >= end; };
  // Both look at the same rows.
  std::vector<char> chosen;
  if (greedy_cosines()) chosen = bits_of_all([&](std::size_t i) { return is_probe(i) || is_home(i); });
  if (rule.perceptual) {
    const cluster::NearSearch search{
        .probes = source(Hashes::kAllPoses, [&](std::size_t i) { return is_probe(i) && can(i, kPicture); }),
        .homes = source(Hashes::kUpright, [&](std::size_t i) { return is_home(i) && can(i, kPicture); }),
        .threshold = static_cast<unsigned>(rule.threshold),
        .memory = memory};
    cluster::find_near(search, *team, comm,
                       [&](std::span<const NearPair> pairs) { leave_all(pairs, Likeness::kPerceptual); });
  }
  if (greedy_cosines()) {
    cosines->find({.probe = [&](std::uint64_t number) { return number < end && bit(chosen, number); },
                   .home = [&](std::uint64_t number) { return number >= end && bit(chosen, number); },
                   .best_only = true},
                  *team, [&](std::span<const NearPair> pairs) { leave_all(pairs, Likeness::kCosine); });
  }
}

void Duplicates::Impl::find_alike() {
  if (rule.cosine) open_cosines();
  team.emplace(comm::cores_of_rank(comm));
  if (rule.perceptual && owners->outside() > 0) leave_what_is_outside();
  if (rule.cosine && owners->outside() > 0) leave_what_is_outside_by_cosine();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // What cannot be compared is like nothing.
    if (is_open(i) && !can(i, kPicture) && !greedy_cosines()) rows[i].state = State::kKept;
  }
  const std::uint64_t all = owners->all();
  std::uint64_t block = kFirstBlock;
  for (std::uint64_t begin = owners->outside(); begin < all; block *= kGrowth) {
    std::uint64_t end = std::min(all, begin + block);
    // The outcome is the same for any blocks. One of a single row has no pairs.
    while (!decide_block(begin, end)) {
      block = (end - begin) / 2;
      end = begin + block;
    }
    if (end < all) leave_what_is_like_kept(begin, end);
    begin = end;
  }
  if (rule.cosine && !greedy_cosines()) leave_by_semdedup();
  cosines.reset();
  team.reset();
}

template <typename T, typename Answer, typename Take>
void Duplicates::Impl::ask(std::span<const std::uint64_t> asked, const Answer& answer,
                           const Take& take) const {
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::size_t done = 0;
  while (comm.all_reduce(static_cast<std::int64_t>(asked.size() - done), comm::Reduction::kMax) != 0) {
    const auto now = asked.subspan(done, std::min(kAskedAtOnce, asked.size() - done));
    std::vector<std::vector<std::uint64_t>> questions(ranks);
    std::vector<std::size_t> to(now.size());
    for (std::size_t i = 0; i < now.size(); ++i) {
      to[i] = owners->owner(now[i]);
      questions[to[i]].push_back(now[i]);
    }
    std::vector<std::vector<T>> answers(ranks);
    const auto received = comm.exchange(questions);
    comm.together([&] {
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        for (const auto number : received[rank]) answer(owners->local(number), answers[rank]);
      }
    });
    const auto answered = comm.exchange(answers);
    std::vector<std::size_t> next(ranks, 0);
    comm.together([&] {
      for (std::size_t i = 0; i < now.size(); ++i) take(done + i, answered[to[i]], next[to[i]]);
    });
    done += now.size();
    base::note_activity();
  }
}

/// Rows that follow another get its fate: the kept one they follow, or the one that it is like.
void Duplicates::Impl::follow(Likeness likeness) {
  struct Followed {
    std::uint64_t other = kNone;  ///< What the followed one is like; kNone where it is kept.
    std::uint32_t distance = 0;
    std::uint32_t likeness = 0;
  };
  std::vector<std::size_t> followers;
  std::vector<std::uint64_t> asked;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].state != State::kFollows || rows[i].likeness != likeness) continue;
    followers.push_back(i);
    asked.push_back(rows[i].other);
  }
  std::vector<Followed> fates(asked.size());
  ask<Followed>(
      asked,
      [&](std::size_t i, std::vector<Followed>& answers) {
        const auto& row = rows[i];
        QUASAR_CHECK(row.state == State::kKept || row.state == State::kGone);
        answers.push_back(row.state == State::kKept
                              ? Followed{}
                              : Followed{row.other, row.distance, static_cast<std::uint32_t>(row.likeness)});
      },
      [&](std::size_t question, const std::vector<Followed>& answers, std::size_t& next) {
        fates[question] = answers[next++];
      });
  for (std::size_t f = 0; f < followers.size(); ++f) {
    auto& row = rows[followers[f]];
    row.state = State::kGone;
    if (fates[f].other == kNone) continue;
    row.other = fates[f].other;
    row.distance = static_cast<std::uint16_t>(fates[f].distance);
    row.likeness = static_cast<Likeness>(fates[f].likeness);
  }
}

void Duplicates::Impl::count_groups() {
  groups.assign(rows.size(), 0);
  std::vector<std::uint64_t> gone;
  const auto flush = [&] {
    deliver<std::uint64_t>(
        gone, [](std::uint64_t number) { return number; },
        [&](std::uint64_t number) { ++groups[owners->local(number)]; });
    gone.clear();
  };
  std::size_t at = 0;
  while (comm.all_reduce(static_cast<std::int64_t>(rows.size() - at), comm::Reduction::kMax) != 0) {
    for (; at < rows.size() && gone.size() < kAskedAtOnce; ++at) {
      if (rows[at].state == State::kGone) gone.push_back(rows[at].other);
    }
    flush();
  }
  // A row of another set is no row of its group.
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i] += groups[i] != 0 && i >= outside_here ? 1 : 0;
}

void Duplicates::Impl::name_originals() {
  std::vector<std::uint64_t> asked;
  std::vector<std::size_t> askers;
  for (std::size_t i = outside_here; i < rows.size(); ++i) {
    if (rows[i].state != State::kGone) continue;
    asked.push_back(rows[i].other);
    askers.push_back(i);
  }
  // A text is answered as its group's size, its length, and its bytes.
  ask<char>(
      asked,
      [&](std::size_t i, std::vector<char>& answers) {
        std::string packed;
        base::pack(groups[i], packed);
        base::pack_text(names.at(i), packed);
        answers.insert(answers.end(), packed.begin(), packed.end());
      },
      [&](std::size_t question, const std::vector<char>& answers, std::size_t& next) {
        base::Unpacker unpacker(std::string_view(answers.data(), answers.size()).substr(next),
                                "a rank's answer");
        groups[askers[question]] = unpacker.take<std::uint64_t>();
        const auto name = unpacker.take_text();
        originals.append(name);
        next += sizeof(std::uint64_t) + sizeof(std::uint32_t) + name.size();
      });
  comm.together([&] { originals.finish(); });
  std::vector<std::uint64_t> gone(static_cast<std::size_t>(comm.size()), 0);
  gone[static_cast<std::size_t>(comm.rank())] = askers.size();
  comm.all_reduce(gone, comm::Reduction::kSum);
  for (int rank = 0; rank < comm.rank(); ++rank) gone_before += gone[static_cast<std::size_t>(rank)];
  next_original.emplace(originals, 0);
}

void Duplicates::Impl::settle() {
  for (auto& row : rows) {
    if (row.state == State::kOpen) row.state = State::kKept;
  }
}

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
  impl.stop_requested = stop_requested;
  impl.comm.together([&] {
    impl.prints.finish();
    impl.names.finish();
  });
  impl.owners.emplace(impl.outside_here, impl.names.size() - impl.outside_here, impl.comm);
  impl.rows.assign(impl.names.size(), {});
  for (std::size_t i = 0; i < impl.outside_here; ++i) impl.rows[i].state = State::kKept;
  // What rows take themselves, their groups included.
  std::uint64_t own = impl.rows.size() * (sizeof(RowState) + sizeof(std::uint64_t) + 1);
  // By row, also: which embedding, its clusters and places, and a bit for each of all ranks' rows.
  if (impl.rule.cosine) own += impl.rows.size() * 7 * sizeof(std::uint64_t) + impl.owners->all() / 4;
  impl.memory -= std::min(impl.memory, own);
  impl.most_edges = std::max(kLeastEdges, static_cast<std::size_t>(impl.memory / kEdgesShare / sizeof(Edge)));
  impl.memory -= std::min(impl.memory, impl.most_edges * sizeof(Edge));
  if (impl.rule.exact) impl.find_equal(Likeness::kExact);
  if (impl.rule.perceptual) impl.find_equal(Likeness::kPerceptual);
  if (impl.rule.perceptual || impl.rule.cosine) impl.find_alike();
  impl.settle();
  impl.follow(Likeness::kPerceptual);
  impl.follow(Likeness::kExact);
  impl.count_groups();
  impl.name_originals();
}

bool Duplicates::stays(std::size_t place) const {
  return impl_->rows.at(impl_->outside_here + place).state != State::kGone;
}

Fate Duplicates::next() {
  auto& impl = *impl_;
  const std::size_t i = impl.outside_here + impl.given++;
  const auto& row = impl.rows.at(i);
  Fate fate;
  fate.group = impl.groups[i];
  if (row.state != State::kGone) return fate;
  fate.likeness = row.likeness;
  fate.outside = row.other < impl.owners->outside();
  fate.distance = row.distance;
  fate.of = impl.next_original->next();
  if (fate.outside) {
    fate.set = static_cast<unsigned char>(fate.of.front());
    fate.of.remove_prefix(1);
  }
  return fate;
}

std::uint64_t Duplicates::gone_before() const {
  return impl_->gone_before;
}

}  // namespace quasar::curation
