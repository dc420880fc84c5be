#include "dataset/rank_embedder.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/activity.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "comm/cores.h"
#include "dataset/distorted_items.h"

namespace quasar::dataset {
namespace {

/// Finished shards that may wait to be written before no further one is begun.
constexpr std::size_t kMostUnwritten = 2;

}  // namespace

EmbedThreads threads_of_rank(const EmbedConfig& config, const comm::Communicator& comm) {
  const int cores = comm::cores_of_rank(comm);
  return {config.decode_threads > 0 ? config.decode_threads : cores,
          config.encode_threads > 0 ? config.encode_threads : cores};
}

InFlight in_flight(const EmbedConfig& config, const EmbedThreads& threads, std::size_t batch_size,
                   const base::InputSpec& input) {
  const auto decoders = static_cast<std::size_t>(std::max(1, threads.decode));
  const auto encoders = static_cast<std::size_t>(std::max(1, threads.encode));
  InFlight held;
  held.batch = input.fixed_shape() ? batch_size : 1;
  // Those being encoded, and those being decoded, of which the threads share the last and the first.
  const std::size_t busy = encoders + (decoders + held.batch - 1) / held.batch + 1;
  held.batches = std::max(static_cast<std::size_t>(std::max(1, config.batches_in_flight)), busy);
  return held;
}

RankEmbedder::RankEmbedder(const EmbedJob& job, const base::EncoderIdentity& identity,
                           const std::vector<int>& missing, EmbedThreads threads, pass::RankMetrics& metrics)
    : job_(job),
      identity_(identity),
      missing_(missing),
      threads_(threads),
      in_flight_(in_flight(job.threads, threads, static_cast<std::size_t>(job.batch_size),
                           job.encoder.input_spec())),
      dimension_(static_cast<std::size_t>(job.encoder.dimension())),
      metrics_(metrics),
      computed_on_(job.encoder.computed_on()),
      ready_(in_flight_.batches),
      items_(threads.decode + threads.encode),
      pool_({.decode = job.decode,
             .spec = job.encoder.input_spec(),
             .workers = threads.decode,
             .memory = job.memory.decode}) {
  if (job.memory.encode > 0 && !job.encoder.input_spec().fixed_shape())
    encode_gate_.emplace(job.memory.encode);
}

RankEmbedder::~RankEmbedder() {
  stop();
  join();
}

void RankEmbedder::start() {
  for (int i = 0; i < threads_.decode; ++i)
    workers_.emplace_back([this, i] { guarded([this, i] { decode_loop(i); }); });
  for (int i = 0; i < threads_.encode; ++i)
    workers_.emplace_back([this, i] { guarded([this, i] { encode_loop(i); }); });
  writer_ = std::thread([this] { guarded([this] { write_loop(); }); });
}

void RankEmbedder::run(pass::ShardFeed& feed) {
  feed_ = &feed;
  start();
  constexpr auto kPatience = std::chrono::milliseconds(200);
  std::unique_lock lock(mutex_);
  while (!error_ && !base::stop_requested()) {
    if (wants_shard()) {
      lock.unlock();
      const auto place = feed.next();
      if (place) open(*place);
      lock.lock();
      if (!place) {
        no_more_ = true;
        changed_.notify_all();
      }
      continue;
    }
    if (no_more_ && open_.empty() && finished_.empty() && !writing_) break;
    // Signals do not wake.
    changed_.wait_for(lock, kPatience);
  }
  lock.unlock();
  stop();
  join();
  if (error_) std::rethrow_exception(error_);
  if (!open_.empty()) base::fail(base::ExitCode::kInterrupted, base::stopped_message());
}

bool RankEmbedder::wants_shard() const {
  return !no_more_ && finished_.size() < kMostUnwritten && unbegun_ < least_ahead();
}

std::size_t RankEmbedder::least_ahead() const {
  // What the decoders do in the time that a shard takes to arrive; more would be missing elsewhere in the
  // end.
  return 2 * static_cast<std::size_t>(std::max(1, threads_.decode)) + 1;
}

void RankEmbedder::open(std::size_t place) {
  const auto& shard = job_.set.plan().shards()[static_cast<std::size_t>(missing_.at(place))];
  auto opened = std::make_unique<OpenShard>(job_, shard, in_flight_.batch);
  if (job_.retry) {
    const std::scoped_lock lock(hdf5_);
    opened->keep_rows(*job_.retry);
  }
  base::note_activity();
  const std::scoped_lock lock(mutex_);
  unbegun_ += opened->size();
  open_.push_back(std::move(opened));
  changed_.notify_all();
}

bool RankEmbedder::stopping() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

std::vector<int> RankEmbedder::open_shards() {
  const std::scoped_lock lock(mutex_);
  std::vector<int> ids;
  if (writing_) ids.push_back(*writing_);
  for (const auto* list : {&finished_, &open_}) {
    for (const auto& shard : *list) ids.push_back(shard->shard().id);
  }
  return ids;
}

void RankEmbedder::guarded(const std::function<void()>& work) {
  try {
    work();
    return;
  } catch (...) {
    const std::scoped_lock lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
  stop();
}

void RankEmbedder::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  ready_.close();
  pool_.interrupt();
  if (encode_gate_) encode_gate_->interrupt();
  changed_.notify_all();
}

void RankEmbedder::join() {
  for (auto& worker : workers_) worker.join();
  workers_.clear();
  {
    const std::scoped_lock lock(mutex_);
    none_follows_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
}

OpenShard* RankEmbedder::next_open() {
  for (const auto& shard : open_) {
    if (shard->next_item < shard->size()) return shard.get();
  }
  return nullptr;
}

std::optional<RankEmbedder::Item> RankEmbedder::next_item() {
  std::unique_lock lock(mutex_);
  OpenShard* shard = nullptr;
  // A picture is decoded only when its batch may be held: the bound does not depend on how many decode.
  const auto may_begin = [&] {
    shard = next_open();
    if (stopping_ || (shard == nullptr && no_more_)) return true;
    return shard != nullptr && (!shard->opens_batch(shard->next_item) || begun_batches_ < in_flight_.batches);
  };
  while (!may_begin()) {
    // With no shard at hand, none is taken while too many wait to be written.
    const auto awaited = shard != nullptr                     ? pass::Doing::kAwaitingEncoder
                         : finished_.size() >= kMostUnwritten ? pass::Doing::kAwaitingWriter
                                                              : pass::Doing::kAwaitingShard;
    const pass::ThreadClock::Lap waiting(metrics_.threads, awaited);
    changed_.wait(lock);
  }
  if (stopping_ || shard == nullptr) return {};
  const Item item{shard, shard->next_item++};
  if (--unbegun_ < least_ahead()) changed_.notify_all();
  if (shard->opens_batch(item.row)) {
    ++begun_batches_;
    auto& batch = shard->batch_of(item.row);
    batch.images.resize(batch.count);
    changed_.notify_all();
  }
  return item;
}

void RankEmbedder::decode_loop(int worker) {
  while (const auto item = next_item()) {
    auto& batch = item->shard->batch_of(item->row);
    if (!item->shard->is_kept(item->row)) {
      batch.images[item->row - batch.first] = decode(worker, *item);
      const bool admitted = admit(*item, batch);
      pool_.release(worker);
      if (!admitted) return;
    }
    base::note_activity();
    bool decoded = false;
    {
      const std::scoped_lock lock(mutex_);
      decoded = --batch.undecoded == 0;
    }
    if (decoded && !ready_.push(&batch)) return;
  }
}

image::RgbImage RankEmbedder::decode(int worker, const Item& place) {
  const auto& item = place.shard->reader().item(place.row);
  auto& row = place.shard->row(place.row) = row_of(item);
  const int shard = place.shard->shard().id;
  items_.begin(worker, "reading", shard, item.id);
  const pass::InFlightSlot slot(items_, worker);
  std::span<const std::byte> bytes;
  std::uint64_t size = 0;
  const auto outcome = [&] {
    const pass::ThreadClock::Lap reading(metrics_.threads, pass::Doing::kReading);
    return place.shard->reader().read(
        place.row,
        [&](std::uint64_t wanted) -> corpus::ShardReader::Room {
          const auto room = pool_.room(worker, wanted);
          // Interrupted: the shard is given up, and with it what is said here.
          if (!room) return {{base::RowStatus::kUnreadable, "interrupted"}, {}};
          bytes = room->bytes;
          return {{room->status, room->error}, room->bytes};
        },
        size);
  }();
  row.bytes = size;
  metrics_.bytes_read += size;
  base::note_activity();
  if (outcome.status != base::RowStatus::kOk) {
    row.status = outcome.status;
    row.error = outcome.error;
    return {};
  }
  row.hash = base::xxh128_hex(bytes.first(static_cast<std::size_t>(size)));
  items_.begin(worker, "decoding", shard, item.id);
  const pass::ThreadClock::Lap decoding(metrics_.threads, pass::Doing::kDecoding);
  auto request = picture_request(item);
  request.hold = true;
  auto prepared = pool_.decode(worker, request, size);
  if (!prepared) return {};
  row.status = prepared->status;
  row.error = std::move(prepared->error);
  row.width = prepared->width;
  row.height = prepared->height;
  row.format = prepared->format;
  for (const auto& hash : prepared->hashes) row.perceptual_hash += hash.hex();
  if (!prepared->hashes.empty()) row.perceptual_quality = prepared->hashes.front().quality;
  return std::move(prepared->image);
}

bool RankEmbedder::admit(const Item& item, Batch& batch) {
  auto& image = batch.images[item.row - batch.first];
  if (!encode_gate_ || image.pixels.empty()) return true;
  const std::uint64_t bytes =
      image.pixels.size() + job_.encoder.working_memory(1, image.height, image.width).host;
  if (bytes > job_.memory.encode_most) {
    auto& row = item.shard->row(item.row);
    row.status = base::RowStatus::kOutOfMemory;
    row.error = fmt::format(
        "encoding {}x{} pixels takes about {}, more than the {} that one picture may take by the key "
        "memory",
        image.width, image.height, base::human_bytes(bytes), base::human_bytes(job_.memory.encode_most));
    image = {};
    return true;
  }
  batch.claim = encode_gate_->acquire(bytes);
  return batch.claim.has_value();
}

void RankEmbedder::encode_loop(int encoder) {
  const int slot = threads_.decode + encoder;
  std::vector<float> output;
  while (true) {
    std::optional<Batch*> next;
    {
      const pass::ThreadClock::Lap waiting(metrics_.threads, pass::Doing::kAwaitingPictures);
      next = ready_.pop();
    }
    if (!next) return;
    Batch& batch = **next;
    {
      const auto& first = batch.shard->reader().item(batch.first);
      items_.begin(slot,
                   batch.count == 1 ? "encoding" : fmt::format("encoding {} pictures from", batch.count),
                   batch.shard->shard().id, first.id);
      const pass::InFlightSlot in_flight(items_, slot);
      const pass::ThreadClock::Lap encoding(metrics_.threads, pass::Doing::kEncoding);
      if (job_.encoder.input_spec().fixed_shape()) {
        encode_together(batch, output);
      } else {
        for (std::size_t i = 0; i < batch.count; ++i) encode_one(batch, i);
      }
    }
    note_upload();
    finish(batch);
  }
}

void RankEmbedder::note_upload() {
  const auto spent = job_.encoder.upload_time();
  const auto more = spent - std::chrono::nanoseconds(upload_noted_.exchange(spent.count()));
  metrics_.threads.add(pass::Doing::kUploading, more);
  metrics_.threads.add(pass::Doing::kEncoding, -more);
}

void RankEmbedder::encode_together(const Batch& batch, std::vector<float>& output) {
  const int side = job_.encoder.input_spec().size;
  const std::size_t image_bytes = static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3;
  std::vector<std::uint8_t> pixels(batch.count * image_bytes);
  bool any = false;
  for (std::size_t i = 0; i < batch.count; ++i) {
    const auto& source = batch.images[i].pixels;
    if (source.empty()) continue;
    QUASAR_CHECK(source.size() == image_bytes);
    std::copy(source.begin(), source.end(), pixels.begin() + static_cast<std::ptrdiff_t>(i * image_bytes));
    any = true;
  }
  if (!any) return;
  output.resize(batch.count * dimension_);
  job_.encoder.encode({static_cast<int>(batch.count), side, side, pixels}, output);
  for (std::size_t i = 0; i < batch.count; ++i) {
    if (!batch.images[i].pixels.empty())
      batch.shard->keep(batch.first + i, std::span(output).subspan(i * dimension_, dimension_));
  }
}

void RankEmbedder::encode_one(const Batch& batch, std::size_t i) {
  const auto& image = batch.images[i];
  if (image.pixels.empty()) return;
  std::vector<float> output(dimension_);
  job_.encoder.encode({1, image.height, image.width, image.pixels}, output);
  batch.shard->keep(batch.first + i, output);
}

void RankEmbedder::finish(Batch& batch) {
  OpenShard& shard = *batch.shard;
  for (std::size_t i = batch.first; i < batch.first + batch.count; ++i) {
    if (!shard.is_kept(i)) ++metrics_.images[static_cast<std::size_t>(shard.row(i).status)];
  }
  batch.images = {};
  batch.claim.reset();
  const std::size_t count = batch.count;
  {
    const std::scoped_lock lock(mutex_);
    --begun_batches_;
    shard.rows_done += count;
    if (shard.rows_done == shard.size()) {
      const auto place =
          std::find_if(open_.begin(), open_.end(), [&](const auto& open) { return open.get() == &shard; });
      finished_.push_back(std::move(*place));
      open_.erase(place);
    }
  }
  changed_.notify_all();
  feed_->add_done(count);
}

void RankEmbedder::write_loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return none_follows_ || !finished_.empty(); });
    if (finished_.empty()) return;
    const auto shard = std::move(finished_.front());
    finished_.pop_front();
    writing_ = shard->shard().id;
    lock.unlock();
    {
      const pass::ThreadClock::Lap writing(metrics_.threads, pass::Doing::kWriting);
      const std::scoped_lock hdf5(hdf5_);
      shard->write(identity_);
    }
    if (auto now = job_.encoder.computed_on(); now != computed_on_) {
      base::log_warning(
          "embeddings are computed on {} from now on instead of {}: their last digits may differ; a smaller "
          "encoder.batch_size makes all alike",
          now, computed_on_);
      computed_on_ = std::move(now);
    }
    // Whoever embeds a shard has not found a good one there.
    if (job_.shared != nullptr) job_.shared->offer(job_.set, shard->shard(), true);
    ++metrics_.shards;
    base::note_activity();
    lock.lock();
    writing_.reset();
    changed_.notify_all();
  }
}

}  // namespace quasar::dataset
