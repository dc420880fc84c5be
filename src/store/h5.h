// Internal to the module: HDF5 handles that close themselves, and the few calls the module needs, with errors
// that carry the file and HDF5's own reason. HDF5's library is not thread-safe as Debian builds it: callers
// hold `lock()`.
#pragma once

#include <hdf5.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "store/integrity.h"
#include "store/seal.h"

namespace quasar::store::h5 {

/// The module's one lock around HDF5.
std::unique_lock<std::recursive_mutex> lock();

/// Owns an identifier of any kind and closes it with its kind's function.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  hid_t get() const { return id_; }
  bool valid() const { return id_ >= 0; }
  hid_t release() { return std::exchange(id_, -1); }
  void reset() {
    if (id_ >= 0) close_(id_);
    id_ = -1;
  }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// A file being written (missing before) or read. Throws Error(kOutput) or Error(kInput) naming the path.
class File {
 public:
  /// With room for a seal (seal.h) before it.
  static File create(const std::filesystem::path& path);
  /// HDF5 gets the file after its seal was found whole; one without a seal, which need not be ours, after
  /// another process has read it without a crash. kUnchecked: at once.
  static File open(const std::filesystem::path& path, Integrity integrity = Integrity::kChecked);

  void write_attribute(const std::string& name, const std::string& value);
  void write_attribute(const std::string& name, std::int64_t value);
  void write_attribute(const std::string& name, double value);
  std::string text_attribute(const std::string& name) const;
  std::int64_t integer_attribute(const std::string& name) const;
  double real_attribute(const std::string& name) const;
  std::vector<std::string> attribute_names() const;
  H5T_class_t attribute_class(const std::string& name) const;
  /// Paths of all datasets, those in groups included.
  std::vector<std::string> dataset_names() const;
  bool has_attribute(const std::string& name) const;

  /// Writes a dataset of the file type from the memory type: [rows], contiguous, or [rows, columns]
  /// (columns > 0), in chunks of rows.
  void write(const std::string& name, hid_t file_type, hid_t memory_type, const void* data,
             std::uint64_t rows, std::uint64_t columns = 0);
  /// Rows and columns (0 when one-dimensional) of a dataset.
  std::pair<std::uint64_t, std::uint64_t> shape(const std::string& name) const;
  /// Where the chunks of a dataset lie, in order, with or without the user block before them, as the
  /// library's version has it; empty for a dataset without chunks. What was written must be flushed.
  std::vector<ByteRange> chunks(const std::string& name) const;
  bool has(const std::string& name) const;
  /// Bytes of one value of a dataset of floating-point numbers; throws for another type.
  std::size_t value_bytes(const std::string& name) const;
  /// Reads `count` rows from `first` on into `data`, which holds them.
  void read(const std::string& name, hid_t memory_type, std::uint64_t first, std::uint64_t count,
            void* data) const;

  void create_group(const std::string& name);
  void write_texts(const std::string& name, const std::vector<std::string>& texts);
  std::vector<std::string> read_texts(const std::string& name, std::uint64_t first,
                                      std::uint64_t count) const;

  /// Throws Error(kOutput) when something could not be written, as close() does, which flushes first.
  void flush();
  void close();
  hid_t id() const { return file_.get(); }

 private:
  File(Handle file, std::filesystem::path path, bool writing)
      : file_(std::move(file)), path_(std::move(path)), writing_(writing) {}
  [[noreturn]] void fail(const std::string& what) const;
  Handle open_dataset(const std::string& name) const;
  void put_attribute(const std::string& name, hid_t type, const void* value);

  Handle file_;
  std::filesystem::path path_;
  bool writing_ = false;
};

/// IEEE binary16, UTF-8 text of variable length, the row status enumeration.
Handle half_type();
Handle text_type();
Handle status_type();

}  // namespace quasar::store::h5
