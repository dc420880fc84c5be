#include "pipeline/shard_embedder.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <limits>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <semaphore>
#include <thread>

#include "base/bounded_queue.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "corpus/shard_reader.h"
#include "pipeline/cores.h"
#include "pipeline/item_decoder.h"
#include "pipeline/stop_signal.h"

namespace quasar::pipeline {
namespace {

/// The pictures of up to batch_size consecutive items. Slots keep their place whatever fails, so that a row's
/// embedding does not depend on its neighbours.
struct Batch {
  std::size_t first = 0;
  std::size_t count = 0;
  std::vector<image::RgbImage> images;
  std::atomic<std::size_t> undecoded{0};
};

std::string fields_json(const corpus::Item& item) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, value] : item.fields) {
    object[name] = value;
  }
  return object.empty() ? std::string()
                        : object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

store::RowRecord row_of(const corpus::Item& item) {
  store::RowRecord row;
  row.id = item.id;
  row.source = item.source;
  row.member = item.member;
  row.offset = item.offset;
  row.label = item.label.value_or(std::numeric_limits<double>::quiet_NaN());
  row.group = item.group;
  row.fields = fields_json(item);
  return row;
}

/// Clears the slot when the image is done with, exceptions included.
struct JournalSlot {
  Journal& journal;
  int slot;
  ~JournalSlot() { journal.end(slot); }
};

class ShardEmbedder {
 public:
  ShardEmbedder(const EmbedJob& job, const corpus::Shard& shard, const ShardContext& context)
      : job_(job),
        shard_(shard),
        context_(context),
        reader_(job.plan.read_items(shard), static_cast<std::uint64_t>(job.decode.max_file_bytes)),
        size_(reader_.size()),
        batch_size_(static_cast<std::size_t>(job.batch_size)),
        dimension_(static_cast<std::size_t>(job.encoder.dimension())),
        slots_(std::max(1, job.threads.batches_in_flight)),
        ready_(static_cast<std::size_t>(std::max(1, job.threads.batches_in_flight))),
        rows_(size_),
        embeddings_(size_ * dimension_, std::numeric_limits<float>::quiet_NaN()),
        kept_(size_, 0) {
    for (std::size_t first = 0; first < size_; first += batch_size_) {
      auto batch = std::make_unique<Batch>();
      batch->first = first;
      batch->count = std::min(batch_size_, size_ - first);
      batch->images.resize(batch->count);
      batch->undecoded = batch->count;
      batches_.push_back(std::move(batch));
    }
    decode_threads_ = context.threads.decode;
    encode_threads_ = context.threads.encode;
  }

  /// Takes over the rows of the shard's present file that need no retry. Batches stay as they are, so that
  /// the rows that are redone come out as they would have at first.
  void keep_rows(const store::EmbeddingShardReader& present, const RetryFailed& retry) {
    QUASAR_CHECK(present.size() == size_ && present.header().dimension == job_.encoder.dimension());
    auto rows = present.read_rows(0, size_);
    std::vector<float> embeddings(embeddings_.size());
    present.read_embeddings(0, size_, embeddings);
    for (std::size_t i = 0; i < size_; ++i) {
      if (retry.covers(rows[i].status)) continue;
      kept_[i] = 1;
      rows_[i] = std::move(rows[i]);
      const auto begin = static_cast<std::ptrdiff_t>(i * dimension_);
      std::copy_n(embeddings.begin() + begin, dimension_, embeddings_.begin() + begin);
    }
  }

  void run(const std::function<void(std::uint64_t)>& report) {
    std::vector<std::thread> threads;
    threads.reserve(static_cast<std::size_t>(decode_threads_ + encode_threads_));
    for (int i = 0; i < decode_threads_; ++i)
      threads.emplace_back([this, i] { guarded([this, i] { decode_loop(i); }); });
    for (int i = 0; i < encode_threads_; ++i)
      threads.emplace_back([this] { guarded([this] { encode_loop(); }); });
    std::uint64_t reported = 0;
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(200), [&] { return rows_done_ == size_ || failed_; });
      const bool over = rows_done_ == size_ || failed_;
      const std::uint64_t now = rows_done_;
      lock.unlock();
      report(now - reported);
      reported = now;
      if (over) break;
      if (stop_requested()) stop();
    }
    stop();
    for (auto& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
    if (rows_done_ != size_) {
      base::fail(base::ExitCode::kInterrupted, stopped_message());
    }
  }

  std::span<const store::RowRecord> rows() const { return rows_; }
  std::span<const float> embeddings() const { return embeddings_; }

 private:
  template <typename Work>
  void guarded(const Work& work) {
    try {
      work();
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    if (error_is_set()) stop();
  }

  bool error_is_set() {
    const std::scoped_lock lock(mutex_);
    return error_ != nullptr;
  }

  void stop() {
    stopping_ = true;
    ready_.close();
    slots_.release(decode_threads_ + 1);
    {
      const std::scoped_lock lock(mutex_);
      failed_ = true;
    }
    changed_.notify_all();
  }

  void decode_loop(int slot) {
    std::vector<std::byte> bytes;
    while (true) {
      const std::size_t index = next_item_++;
      if (index >= size_ || stopping_) return;
      // The item that opens a batch waits for one of the batches in flight to be done with.
      if (index % batch_size_ == 0) {
        const Stopwatch starved(context_.metrics.starved_of_encoder_ns);
        slots_.acquire();
      }
      if (stopping_) return;
      Batch& batch = *batches_[index / batch_size_];
      if (!kept_[index]) batch.images[index - batch.first] = decode(slot, index, bytes);
      ++context_.metrics.steps;
      if (--batch.undecoded == 0 && !ready_.push(&batch)) return;
    }
  }

  image::RgbImage decode(int slot, std::size_t index, std::vector<std::byte>& bytes) {
    const corpus::Item& item = reader_.item(index);
    const std::uint64_t number = shard_.first + index;
    store::RowRecord& row = rows_[index] = row_of(item);
    context_.journal.begin(slot, Phase::kReading, shard_.id, number, item.id);
    const JournalSlot at_end{context_.journal, slot};
    const auto outcome = reader_.read(index, bytes);
    row.bytes = bytes.size();
    context_.metrics.bytes_read += bytes.size();
    ++context_.metrics.steps;
    if (outcome.status != base::RowStatus::kOk) {
      row.status = outcome.status;
      row.error = outcome.error;
      return {};
    }
    row.hash = base::xxh128_hex(bytes);
    const auto verdict = context_.quarantine.find(number);
    if (verdict != context_.quarantine.end() && verdict->second.id == item.id) {
      row.status = verdict->second.status;
      row.error = verdict->second.error;
      return {};
    }
    context_.journal.set_phase(slot, Phase::kDecoding);
    const Stopwatch decoding(context_.metrics.decode_ns);
    auto prepared = decode_item(item, bytes, job_.decode, job_.encoder.input_spec());
    row.status = prepared.status;
    row.error = std::move(prepared.error);
    row.width = prepared.width;
    row.height = prepared.height;
    return std::move(prepared.image);
  }

  void encode_loop() {
    std::vector<float> output;
    while (const auto next = next_batch()) {
      Batch& batch = **next;
      std::optional<Stopwatch> encoding(context_.metrics.encode_ns);
      if (job_.encoder.input_spec().fixed_shape()) {
        encode_together(batch, output);
      } else {
        for (std::size_t i = 0; i < batch.count; ++i) encode_one(batch, i);
      }
      encoding.reset();
      count(batch);
      batch.images.clear();
      batch.images.shrink_to_fit();
      slots_.release();
      {
        const std::scoped_lock lock(mutex_);
        rows_done_ += batch.count;
      }
      changed_.notify_all();
    }
  }

  std::optional<Batch*> next_batch() {
    const Stopwatch starved(context_.metrics.starved_of_decoded_ns);
    return ready_.pop();
  }

  void count(const Batch& batch) {
    for (std::size_t i = batch.first; i < batch.first + batch.count; ++i) {
      if (!kept_[i]) ++context_.metrics.images[static_cast<std::size_t>(rows_[i].status)];
    }
    ++context_.metrics.steps;
  }

  void encode_together(const Batch& batch, std::vector<float>& output) {
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
      if (!batch.images[i].pixels.empty()) {
        keep(batch.first + i, std::span(output).subspan(i * dimension_, dimension_));
      }
    }
  }

  void encode_one(const Batch& batch, std::size_t i) {
    const auto& image = batch.images[i];
    if (image.pixels.empty()) return;
    std::vector<float> output(dimension_);
    job_.encoder.encode({1, image.height, image.width, image.pixels}, output);
    keep(batch.first + i, output);
  }

  void keep(std::size_t row, std::span<const float> embedding) {
    if (!std::all_of(embedding.begin(), embedding.end(), [](float v) { return std::isfinite(v); })) {
      rows_[row].status = base::RowStatus::kEncodeFailed;
      rows_[row].error = "the encoder gave a non-finite embedding";
      return;
    }
    std::copy(embedding.begin(), embedding.end(),
              embeddings_.begin() + static_cast<std::ptrdiff_t>(row * dimension_));
  }

  const EmbedJob& job_;
  const corpus::Shard& shard_;
  const ShardContext& context_;
  const corpus::ShardReader reader_;
  const std::size_t size_;
  const std::size_t batch_size_;
  const std::size_t dimension_;
  int decode_threads_ = 1;
  int encode_threads_ = 1;
  std::vector<std::unique_ptr<Batch>> batches_;
  std::counting_semaphore<> slots_;
  base::BoundedQueue<Batch*> ready_;
  std::vector<store::RowRecord> rows_;
  std::vector<float> embeddings_;
  std::vector<char> kept_;  ///< Rows whose result is there already.
  std::atomic<std::size_t> next_item_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t rows_done_ = 0;
  bool failed_ = false;
  std::exception_ptr error_;
};

}  // namespace

void embed_shard(const EmbedJob& job, const store::EncoderIdentity& identity, const corpus::Shard& shard,
                 const ShardContext& context, const std::function<void(std::uint64_t)>& report) {
  const auto path = shard_path(job.folder, shard.id);
  ShardEmbedder embedder(job, shard, context);
  if (job.retry && store::is_whole_shard(path, shard.sha256, shard.id, shard.count) &&
      store::verify_shard(path)) {
    embedder.keep_rows(store::EmbeddingShardReader(path), *job.retry);
  }
  embedder.run(report);
  store::ShardHeader header;
  header.encoder = identity;
  header.plan_fingerprint = job.plan.fingerprint();
  header.items_sha256 = shard.sha256;
  header.shard = shard.id;
  header.dimension = job.encoder.dimension();
  header.half = job.half;
  store::write_embedding_shard(path, header, embedder.rows(), embedder.embeddings());
  ++context.metrics.shards;
  ++context.metrics.steps;
}

EmbedThreads threads_of_rank(const EmbedConfig& config, const comm::Communicator& comm) {
  const int cores = cores_of_rank(comm);
  return {config.decode_threads > 0 ? config.decode_threads : cores,
          config.encode_threads > 0 ? config.encode_threads : cores};
}

}  // namespace quasar::pipeline
