#include "image/gif_reader.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace quasar::image {
namespace {

using base::RowStatus;

/// Bytes in their order; what lies past the end is nothing.
class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::optional<int> next() {
    if (at_ >= bytes_.size()) return std::nullopt;
    return static_cast<int>(bytes_[at_++]);
  }
  /// Empty when there are not so many.
  std::span<const std::byte> take(std::size_t count) {
    if (count > bytes_.size() - at_) return {};
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

int number(std::span<const std::byte> bytes, std::size_t at) {
  return static_cast<int>(bytes[at]) | static_cast<int>(bytes[at + 1]) << 8;
}

struct Color {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
};
static_assert(sizeof(Color) == 3);

/// Entries that the file does not give are greys of their number, as the reference has them.
using Palette = std::array<Color, 256>;

Palette greys() {
  Palette palette;
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const auto value = static_cast<std::uint8_t>(i);
    palette[i] = {value, value, value};
  }
  return palette;
}

/// False when the bytes end within it.
bool read_palette(Bytes& bytes, int flags, Palette& palette) {
  const std::size_t size = std::size_t{3} << (static_cast<unsigned>(flags & 7) + 1);
  const auto entries = bytes.take(size);
  if (entries.empty()) return false;
  palette = greys();
  std::memcpy(palette.data(), entries.data(), size);
  return true;
}

struct Frame {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
  bool interlaced = false;
  int code_size = 0;  ///< Bits of a pixel.
};

/// The bits of the sub-blocks that hold a frame's pixels, lowest first.
class Codes {
 public:
  explicit Codes(Bytes bytes) : bytes_(bytes) {}

  std::optional<int> next(int bits) {
    while (held_ < bits) {
      if (left_ == 0) {
        const auto size = bytes_.next();
        if (!size || *size == 0) return std::nullopt;
        left_ = *size;
      }
      const auto byte = bytes_.next();
      if (!byte) return std::nullopt;
      --left_;
      value_ |= static_cast<std::uint32_t>(*byte) << static_cast<unsigned>(held_);
      held_ += 8;
    }
    const auto code = static_cast<int>(value_ & ((1U << static_cast<unsigned>(bits)) - 1));
    value_ >>= static_cast<unsigned>(bits);
    held_ -= bits;
    return code;
  }

 private:
  Bytes bytes_;
  int left_ = 0;
  std::uint32_t value_ = 0;
  int held_ = 0;
};

/// The variable-length codes of appendix F: runs of pixels, one code each.
class Runs {
 public:
  Runs(Bytes bytes, int code_size) : codes_(bytes), code_size_(code_size), clear_(1 << code_size) { reset(); }

  /// The next run, until the following call; empty at the end of the data, with corrupt() set where it is
  /// none.
  std::span<const std::uint8_t> next() {
    while (true) {
      const auto code = codes_.next(bits_);
      if (!code || *code == clear_ + 1) return {};
      if (*code != clear_) return run(*code);
      reset();
    }
  }
  bool corrupt() const { return corrupt_; }

 private:
  static constexpr int kMost = 4096;

  void reset() {
    bits_ = code_size_ + 1;
    next_ = clear_ + 2;
    before_ = -1;
  }

  std::span<const std::uint8_t> run(int code) {
    if (code > next_ || (code == next_ && before_ < 0) || (before_ < 0 && code > clear_) ||
        (code < clear_ && code > 255)) {
      corrupt_ = true;
      return {};
    }
    // From its end to its beginning.
    std::size_t at = run_.size();
    int walked = code;
    if (code == next_) {
      run_[--at] = first_;
      walked = before_;
    }
    for (; walked > clear_; walked = prefix_[static_cast<std::size_t>(walked)])
      run_[--at] = last_[static_cast<std::size_t>(walked)];
    first_ = static_cast<std::uint8_t>(walked);
    run_[--at] = first_;
    if (before_ >= 0 && next_ < kMost) {
      prefix_[static_cast<std::size_t>(next_)] = static_cast<std::uint16_t>(before_);
      last_[static_cast<std::size_t>(next_)] = first_;
      ++next_;
      if (next_ == 1 << bits_ && bits_ < 12) ++bits_;
    }
    before_ = code;
    return std::span(run_).subspan(at);
  }

  Codes codes_;
  int code_size_;
  int clear_;
  int bits_ = 0;
  int next_ = 0;     ///< The code that the next run defines.
  int before_ = -1;  ///< The code before; -1 after a clear.
  std::uint8_t first_ = 0;
  bool corrupt_ = false;
  std::array<std::uint16_t, kMost> prefix_{};
  std::array<std::uint8_t, kMost> last_{};
  std::array<std::uint8_t, kMost + 1> run_{};
};

/// The order of a frame's rows: from the top, or in four passes (appendix E).
class RowOrder {
 public:
  explicit RowOrder(const Frame& frame) : height_(frame.height), interlaced_(frame.interlaced) {}

  std::size_t row() const { return static_cast<std::size_t>(row_); }
  void advance() {
    constexpr std::array<int, 4> kStarts = {0, 4, 2, 1};
    constexpr std::array<int, 4> kSteps = {8, 8, 4, 2};
    row_ += interlaced_ ? kSteps[pass_] : 1;
    while (interlaced_ && row_ >= height_ && pass_ + 1 < kStarts.size()) row_ = kStarts[++pass_];
  }

 private:
  int height_;
  bool interlaced_;
  std::size_t pass_ = 0;
  int row_ = 0;
};

class GifReader : public Reader {
 public:
  GifReader(Bytes data, const Frame& frame, int width, int height, const Palette& palette, bool grey,
            int ground)
      : data_(data),
        frame_(frame),
        width_(width),
        height_(height),
        palette_(palette),
        grey_(grey),
        ground_(ground) {}

  Header header() const override {
    return {.format = "gif",
            .width = width_,
            .height = height_,
            .decoded_width = width_,
            .decoded_height = height_,
            .channels = grey_ ? 1 : 3};
  }

  Reading pixels(RowSink& sink) override {
    Raster raster{width_, height_, grey_ ? 1 : 3, !grey_, {}};
    raster.pixels.resize(static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_) *
                         static_cast<std::size_t>(raster.channels));
    put(raster.pixels.data(), ground_, static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_));
    auto reading = read_frame(raster);
    sink.take(std::move(raster));
    return reading;
  }

 private:
  /// One colour `count` times.
  void put(std::uint8_t* to, int index, std::size_t count) const {
    const Color color = palette_[static_cast<std::size_t>(index)];
    if (grey_) {
      std::memset(to, color.red, count);
      return;
    }
    for (std::size_t i = 0; i < count; ++i) std::memcpy(to + 3 * i, &color, 3);
  }

  Reading read_frame(Raster& raster) const {
    const auto channels = static_cast<std::size_t>(raster.channels);
    Runs runs(data_, frame_.code_size);
    const std::int64_t all = std::int64_t{frame_.width} * frame_.height;
    std::int64_t done = 0;
    std::size_t column = 0;
    RowOrder order(frame_);
    const auto left = static_cast<std::size_t>(frame_.left);
    const auto top = static_cast<std::size_t>(frame_.top);
    while (done < all) {
      const auto run = runs.next();
      if (run.empty()) break;
      for (const std::uint8_t index : run) {
        const std::size_t pixel = (top + order.row()) * static_cast<std::size_t>(width_) + left + column;
        put(raster.pixels.data() + pixel * channels, index, 1);
        if (++done == all) break;
        if (++column < static_cast<std::size_t>(frame_.width)) continue;
        column = 0;
        order.advance();
      }
    }
    if (done == all) return {.rows = height_};
    const auto rows = static_cast<int>(done / frame_.width);
    Reading reading{.status = RowStatus::kDecodeFailed, .rows = rows};
    reading.error =
        runs.corrupt() ? "GIF: a code that means nothing" : "GIF: the data of its first picture ends early";
    // Every eighth row and those between are there: a coarse picture.
    if (frame_.interlaced) {
      reading.coarse = rows >= (frame_.height + 7) / 8;
      if (!reading.coarse) reading.rows = std::min(frame_.height, rows * 8);
    }
    return reading;
  }

  Bytes data_;
  Frame frame_;
  int width_;
  int height_;
  Palette palette_;
  bool grey_;
  int ground_;
};

Opened broken(const std::string& what) {
  return refused("gif", RowStatus::kBadHeader, "GIF: " + what);
}

/// An extension's sub-blocks; the transparent entry where it is a graphic control extension.
bool read_extension(Bytes& bytes, int& transparent) {
  constexpr int kGraphicControl = 0xF9;
  const auto label = bytes.next();
  bool first = true;
  while (true) {
    const auto size = bytes.next();
    if (!label || !size) return false;
    if (*size == 0) return true;
    const auto block = bytes.take(static_cast<std::size_t>(*size));
    if (block.empty()) return false;
    if (first && *label == kGraphicControl && block.size() >= 4 && (static_cast<int>(block[0]) & 1) != 0)
      transparent = static_cast<int>(block[3]);
    first = false;
  }
}

}  // namespace

bool is_gif(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 6));
  return text == "GIF87a" || text == "GIF89a";
}

Opened open_gif(std::span<const std::byte> data) {
  constexpr int kHasPalette = 0x80;
  Bytes bytes(data);
  bytes.take(6);
  const auto screen = bytes.take(7);
  if (screen.empty()) return broken("the file ends within its header");
  int width = number(screen, 0);
  int height = number(screen, 2);
  Palette palette = greys();
  const int flags = static_cast<int>(screen[4]);
  if ((flags & kHasPalette) != 0 && !read_palette(bytes, flags, palette))
    return broken("the file ends within its palette");
  int transparent = -1;
  while (true) {
    const auto mark = bytes.next();
    if (!mark) return broken("the file ends before its first picture");
    if (*mark == ';') return broken("there is no picture in it");
    if (*mark == '!' && !read_extension(bytes, transparent))
      return broken("the file ends within an extension");
    if (*mark == ',') break;
  }
  const auto descriptor = bytes.take(9);
  if (descriptor.empty()) return broken("the file ends within the description of its first picture");
  Frame frame{number(descriptor, 0), number(descriptor, 2), number(descriptor, 4), number(descriptor, 6)};
  const int frame_flags = static_cast<int>(descriptor[8]);
  frame.interlaced = (frame_flags & 0x40) != 0;
  if ((frame_flags & kHasPalette) != 0 && !read_palette(bytes, frame_flags, palette))
    return broken("the file ends within its palette");
  const auto code_size = bytes.next();
  if (!code_size) return broken("the file ends before the pixels of its first picture");
  frame.code_size = *code_size;
  if (frame.code_size < 1 || frame.code_size > 11)
    return broken("pixels of " + std::to_string(frame.code_size) + " bits");
  if (frame.width == 0 || frame.height == 0) return broken("its first picture has no pixels");
  width = std::max(width, frame.left + frame.width);
  height = std::max(height, frame.top + frame.height);
  // A palette that names each grey by its number is none: such a picture is one of greys.
  const Palette none = greys();
  const bool grey = std::memcmp(palette.data(), none.data(), sizeof(Palette)) == 0;
  return {.reader = std::make_unique<GifReader>(bytes, frame, width, height, palette, grey,
                                                std::max(transparent, 0))};
}

}  // namespace quasar::image
