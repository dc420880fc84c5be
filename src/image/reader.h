// Internal to the module: owns what reads one kind of file, from its header to its pixels, and says how much
// of them was there. A reader is made when its header is read; nothing large is held before pixels().
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "image/decode.h"
#include "image/row_sink.h"

namespace quasar::image {

/// What came of reading pixels.
struct Reading {
  base::RowStatus status = base::RowStatus::kOk;
  std::string error = {};  ///< What is wrong with the data; empty when the picture is whole.
  int rows = 0;  ///< Rows from the top that came before the data went wrong; those below are filled.
  bool coarse =
      false;  ///< All rows are there, in less than their full detail or colour: later passes are missing.
};

class Reader {
 public:
  Reader() = default;
  virtual ~Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Sizes, and what memory depends on; `turned` and `file_bytes` are the caller's to set.
  virtual Header header() const = 0;
  /// EXIF's, 1 to 8.
  virtual int orientation() const { return 1; }
  /// Makes pixels() give fewer pixels, `factor` (2, 4 or 8) times as few along each side, where the format
  /// allows.
  virtual Reading shrink(int /*factor*/) { return {}; }
  /// Gives the rows, in the file's own mode. Those that the file lacks are given, too, without light, where
  /// there are any or the picture is coarse. Throws std::bad_alloc without memory.
  virtual Reading pixels(RowSink& sink) = 0;
};

/// A reader, or why there is none.
struct Opened {
  std::unique_ptr<Reader> reader = {};
  std::string_view format = {};  ///< As Prepared::format, where there is no reader.
  base::RowStatus status = base::RowStatus::kOk;
  std::string error = {};  ///< Empty when there is a reader.
};

inline Opened refused(std::string_view format, base::RowStatus status, std::string error) {
  return {nullptr, format, status, std::move(error)};
}

}  // namespace quasar::image
