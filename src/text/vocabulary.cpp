#include "text/vocabulary.h"

#include <span>

#include "base/errors.h"
#include "base/mapped_file.h"

#ifdef QUASAR_WITH_ZLIB
#include <zlib.h>

#include <limits>
#endif

namespace quasar::text {
namespace {

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1F} && bytes[1] == std::byte{0x8B};
}

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& what) {
  base::fail(base::ExitCode::kInput, path.string() + ": " + what);
}

#ifdef QUASAR_WITH_ZLIB
std::string inflate_gzip(const std::filesystem::path& path, std::span<const std::byte> bytes,
                         std::size_t limit) {
  constexpr int kGzipOnly = 16;
  if (bytes.size() > std::numeric_limits<uInt>::max()) refuse(path, "is too large for a text file");
  z_stream stream{};
  if (inflateInit2(&stream, MAX_WBITS + kGzipOnly) != Z_OK)
    refuse(path, "cannot be decompressed: out of memory");
  // zlib only reads through this pointer.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  std::string block(std::size_t{1} << 16U, '\0');
  int state = Z_OK;
  while (state == Z_OK && text.size() <= limit) {
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = static_cast<uInt>(block.size());
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(block, 0, block.size() - stream.avail_out);
    if (state == Z_OK && stream.avail_in == 0 && stream.avail_out > 0) state = Z_BUF_ERROR;
  }
  inflateEnd(&stream);
  if (text.size() > limit) refuse(path, "decompresses to more than " + std::to_string(limit) + " bytes");
  if (state != Z_STREAM_END) refuse(path, "is a damaged or cut gzip file");
  return text;
}
#endif

}  // namespace

std::string read_text_file(const std::filesystem::path& path, std::size_t limit) {
  const base::MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  if (is_gzip(bytes)) {
#ifdef QUASAR_WITH_ZLIB
    return inflate_gzip(path, bytes, limit);
#else
    refuse(path, "is compressed, and this build has no zlib; decompress it with gunzip first");
#endif
  }
  if (bytes.size() > limit) refuse(path, "is larger than " + std::to_string(limit) + " bytes");
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace quasar::text
