#include "image/jpeg_reader.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <new>
#include <utility>
#include <vector>

// In this order: neither includes what it needs.
#include <jerror.h>
#include <jpeglib.h>

namespace quasar::image {
namespace {

using base::RowStatus;

/// libjpeg's way of reporting, and what it said. `manager` comes first, as libjpeg hands back its address.
struct Messages {
  jpeg_error_mgr manager{};
  std::jmp_buf failed{};
  std::array<char, JMSG_LENGTH_MAX> fatal{};  ///< What ended the work.
  std::array<char, JMSG_LENGTH_MAX> loss{};   ///< The first word that says that data is lost.
  JDIMENSION loss_row = 0;                    ///< Row of MCUs, and scan, that were read then.
  int loss_scan = 0;
};

/// Whether a warning says that pixels are not what was coded. JWRN_JPEG_EOF is none: whether something was
/// still to come then is what the Huffman decoder says next (JWRN_HIT_MARKER).
bool is_loss(const jpeg_decompress_struct& decompress, int code) {
  switch (code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_MUST_RESYNC:
      return true;
    case JWRN_JPEG_EOF:
      return decompress.arith_code && decompress.input_iMCU_row + 1 < decompress.total_iMCU_rows;
    default:
      return false;
  }
}

void on_message(j_common_ptr common, int level) {
  if (level >= 0) return;
  auto& messages = *reinterpret_cast<Messages*>(common->err);
  const auto& decompress = *reinterpret_cast<const jpeg_decompress_struct*>(common);
  if (messages.loss[0] != 0 || !is_loss(decompress, common->err->msg_code)) return;
  common->err->format_message(common, messages.loss.data());
  messages.loss_row = decompress.input_iMCU_row;
  messages.loss_scan = decompress.input_scan_number;
}

[[noreturn]] void on_failure(j_common_ptr common) {
  auto& messages = *reinterpret_cast<Messages*>(common->err);
  common->err->format_message(common, messages.fatal.data());
  std::longjmp(messages.failed, 1);  // NOLINT(modernize-avoid-setjmp-longjmp)
}

/// libjpeg's object with its messages.
struct Decompressor {
  Messages messages;
  jpeg_decompress_struct state{};

  Decompressor() {
    state.err = ::jpeg_std_error(&messages.manager);
    messages.manager.emit_message = on_message;
    messages.manager.error_exit = on_failure;
  }
  ~Decompressor() { ::jpeg_destroy_decompress(&state); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
};

/// Everything up to the first row. Nothing here has a destructor, as a failure leaves by longjmp.
bool start(Decompressor& jpeg, std::span<const std::byte> bytes, int shrink) {
  if (setjmp(jpeg.messages.failed) != 0) return false;
  jpeg_create_decompress(&jpeg.state);
  ::jpeg_mem_src(&jpeg.state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  ::jpeg_read_header(&jpeg.state, TRUE);
  jpeg.state.scale_num = 1;
  jpeg.state.scale_denom = static_cast<unsigned>(shrink);
  ::jpeg_start_decompress(&jpeg.state);
  return true;
}

/// The next rows; fewer than there are rows where it fails.
int read_rows(Decompressor& jpeg, JSAMPROW* rows, int count) {
  volatile int read = 0;
  if (setjmp(jpeg.messages.failed) != 0) return read;
  while (read < count)
    read = read + static_cast<int>(
                      ::jpeg_read_scanlines(&jpeg.state, rows + read, static_cast<JDIMENSION>(count - read)));
  return read;
}

/// All rows of the picture; how many came.
int read_picture(Decompressor& jpeg, const Raster& shape, RowSink& sink) {
  constexpr int kAtOnce = 16;
  // Shrinking rounds up, and the last column is then left out.
  const std::size_t line = static_cast<std::size_t>(jpeg.state.output_width) *
                           static_cast<std::size_t>(jpeg.state.output_components);
  std::vector<JSAMPLE> strip(line * kAtOnce);
  std::array<JSAMPROW, kAtOnce> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = strip.data() + i * line;
  int done = 0;
  while (done < shape.height) {
    const int count = std::min(kAtOnce, shape.height - done);
    const int read = read_rows(jpeg, rows.data(), count);
    // As every program has it since Photoshop began so: ink is a low value in the file.
    if (shape.cmyk) {
      for (auto& value : strip) value = static_cast<JSAMPLE>(255 - value);
    }
    sink.rows(rows.data(), read);
    done += read;
    if (read < count) break;
  }
  return done;
}

/// A component without any data, or coefficients that were begun and not finished: passes are missing, though
/// no data of those that are there is.
bool lacks_passes(const jpeg_decompress_struct& state) {
  for (int c = 0; c < state.num_components; ++c) {
    if (state.comp_info[c].quant_table == nullptr) return true;
    if (state.coef_bits == nullptr || !state.progressive_mode) continue;
    const int* bits = state.coef_bits[c];
    if (bits[0] != 0 || std::any_of(bits, bits + DCTSIZE2, [](int left) { return left > 0; })) return true;
  }
  return false;
}

/// The bytes before the last marker that libjpeg has read.
std::span<const std::byte> before_last_marker(const Decompressor& jpeg, std::span<const std::byte> bytes) {
  constexpr std::byte kMarker{0xFF};
  std::size_t at = bytes.size() - std::min(bytes.size(), jpeg.state.src->bytes_in_buffer);
  while (at >= 2 && (bytes[at - 2] != kMarker || bytes[at - 1] == kMarker || bytes[at - 1] == std::byte{0}))
    --at;
  return bytes.first(at >= 2 ? at - 2 : 0);
}

Reading read_all(std::span<const std::byte> bytes, const Header& header, int shrink, RowSink& sink,
                 std::span<const std::byte>& readable) {
  Decompressor jpeg;
  const auto failed = [&](RowStatus status) {
    if (jpeg.messages.manager.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    return Reading{.status = status, .error = std::string("libjpeg: ") + jpeg.messages.fatal.data()};
  };
  if (!start(jpeg, bytes, shrink)) {
    // It reads all passes first.
    if (jpeg.state.input_scan_number > 0) readable = before_last_marker(jpeg, bytes);
    return failed(RowStatus::kDecodeFailed);
  }
  auto& state = jpeg.state;
  const bool fits = static_cast<JDIMENSION>(header.decoded_width) <= state.output_width &&
                    static_cast<JDIMENSION>(header.decoded_height) <= state.output_height;
  if (!fits ||
      (state.output_components != 1 && state.output_components != 3 && state.output_components != 4)) {
    return {.status = RowStatus::kUnsupportedPixels,
            .error = "a JPEG of " + std::to_string(state.num_components) + " components"};
  }
  const bool cmyk = state.output_components == 4;
  const Raster shape{header.decoded_width, header.decoded_height, state.output_components, false, {}, cmyk};
  sink.begin(shape);
  Reading reading;
  reading.rows = read_picture(jpeg, shape, sink);
  give_blank_rows(sink, shape, shape.height - reading.rows, cmyk ? 255 : 0);
  const auto& messages = jpeg.messages;
  if (messages.fatal[0] != 0) {
    const int rows = reading.rows;
    reading = failed(RowStatus::kDecodeFailed);
    reading.rows = rows;
  }
  if (messages.loss[0] != 0) {
    if (reading.error.empty()) reading.error = std::string("libjpeg: ") + messages.loss.data();
    reading.status = RowStatus::kDecodeFailed;
    const auto good =
        static_cast<std::int64_t>(messages.loss_row) * state.max_v_samp_factor * DCTSIZE / shrink;
    // In later passes all rows have had an earlier one.
    reading.coarse = messages.loss_scan > 1;
    if (!reading.coarse) reading.rows = static_cast<int>(std::min<std::int64_t>(reading.rows, good));
  } else if (reading.error.empty() && lacks_passes(state)) {
    reading.status = RowStatus::kDecodeFailed;
    reading.error = "the file ends before its last pass";
    reading.coarse = true;
  }
  return reading;
}

}  // namespace

Reading read_jpeg(std::span<const std::byte> bytes, const Header& header, int shrink, RowSink& sink) {
  std::span<const std::byte> readable;
  auto reading = read_all(bytes, header, shrink, sink, readable);
  if (readable.empty()) return reading;
  // What cannot be read stands behind passes that can.
  std::span<const std::byte> none;
  auto earlier = read_all(readable, header, shrink, sink, none);
  earlier.status = reading.status;
  earlier.error = std::move(reading.error);
  earlier.coarse = earlier.coarse || earlier.rows == header.decoded_height;
  return earlier;
}

}  // namespace quasar::image
