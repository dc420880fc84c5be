#include "corpus/sources/tar_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "base/errors.h"
#include "base/read_at.h"

namespace quasar::corpus {
namespace {

constexpr std::uint64_t kBlock = 512;
/// Headers of small members lie close together: one read fetches several.
constexpr std::size_t kWindow = std::size_t{8} << 10U;
/// A search for the next header reads everything on its way.
constexpr std::size_t kSearchWindow = std::size_t{1} << 20U;
/// Longest long name or pax header believed.
constexpr std::uint64_t kMaxExtension = std::uint64_t{1} << 20U;
constexpr std::uint64_t kMaxSize = std::uint64_t{1} << 62U;

// Places in a header block (POSIX.1-1988; GNU tar manual, "Basic Tar Format").
constexpr std::size_t kNameLength = 100;
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kSizeLength = 12;
constexpr std::size_t kChecksumAt = 148;
constexpr std::size_t kChecksumLength = 8;
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kLinkAt = 157;
constexpr std::size_t kMagicAt = 257;
constexpr std::size_t kPrefixAt = 345;
constexpr std::size_t kPrefixLength = 155;
constexpr std::size_t kGnuExtendedAt = 482;

std::string_view text_field(std::span<const std::byte> block, std::size_t at, std::size_t length) {
  const std::string_view field(reinterpret_cast<const char*>(block.data()) + at, length);
  return field.substr(0, field.find('\0'));
}

/// Octal digits, spaces around them allowed, ended by NUL or the field's end.
std::optional<std::uint64_t> octal_field(std::span<const std::byte> block, std::size_t at,
                                         std::size_t length) {
  std::string_view field = text_field(block, at, length);
  while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
  while (!field.empty() && field.back() == ' ') field.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
  if (field.empty() || error != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return value;
}

std::uint64_t rounded_up(std::uint64_t size) {
  return (size + kBlock - 1) / kBlock * kBlock;
}

bool is_zero(std::span<const std::byte> block) {
  return std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; });
}

bool has_magic(std::span<const std::byte> block) {
  return std::memcmp(block.data() + kMagicAt, "ustar", 5) == 0;
}

class FileInput : public TarInput {
 public:
  explicit FileInput(const std::filesystem::path& path)
      : file_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
    if (!file_.is_open()) {
      base::fail(base::ExitCode::kInput,
                 "cannot open the tar " + path.string() + ": " + base::describe_errno(errno));
    }
    struct stat status {};
    if (::fstat(file_.number(), &status) != 0 || !S_ISREG(status.st_mode)) {
      base::fail(base::ExitCode::kInput,
                 "cannot read the tar " + path.string() + ": it is not a regular file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    // Only headers are wanted; reading ahead would fetch the images as well.
    ::posix_fadvise(file_.number(), 0, 0, POSIX_FADV_RANDOM);
  }

  std::uint64_t size() const override { return size_; }
  std::size_t read(std::uint64_t offset, std::span<std::byte> bytes) const override {
    return base::read_at(file_, offset, bytes).bytes;
  }

 private:
  base::Descriptor file_;
  std::uint64_t size_ = 0;
};

class MemoryInput : public TarInput {
 public:
  explicit MemoryInput(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  std::size_t read(std::uint64_t offset, std::span<std::byte> bytes) const override {
    if (offset >= bytes_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(bytes.size(), bytes_.size() - offset);
    std::memcpy(bytes.data(), bytes_.data() + offset, count);
    return count;
  }

 private:
  std::span<const std::byte> bytes_;
};

/// What pax and GNU extension headers say about the member that follows them.
struct Extensions {
  std::optional<std::string> name;
  std::optional<std::string> target;
  std::optional<std::uint64_t> size;
  bool sparse = false;
};

/// Records "LENGTH KEY=VALUE\n" (POSIX.1-2001). False when they are not well-formed.
bool parse_pax(std::string_view text, Extensions& extensions) {
  while (!text.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || length > text.size() || length < digits + 3 || text[digits] != ' ' ||
        text[length - 1] != '\n') {
      return false;
    }
    const std::string_view record = text.substr(digits + 1, length - digits - 2);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view key = record.substr(0, equals);
    const std::string_view value = record.substr(equals + 1);
    // What GNU tar writes as the path of a sparse file is a name for programs that do not know the kind.
    if (key == "path" && !(extensions.sparse && extensions.name)) extensions.name = std::string(value);
    if (key == "linkpath") extensions.target = std::string(value);
    if (key.substr(0, 11) == "GNU.sparse.") extensions.sparse = true;
    if (key == "GNU.sparse.name") extensions.name = std::string(value);
    if (key == "size") {
      std::uint64_t size = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), size);
      if (value.empty() || parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() ||
          size > kMaxSize)
        return false;
      extensions.size = size;
    }
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

std::unique_ptr<TarInput> open_tar(const std::filesystem::path& path) {
  return std::make_unique<FileInput>(path);
}

std::unique_ptr<TarInput> tar_in_memory(std::span<const std::byte> bytes) {
  return std::make_unique<MemoryInput>(bytes);
}

std::string compression_of(const TarInput& input) {
  std::array<std::byte, 6> bytes{};
  const std::size_t count = input.read(0, bytes);
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()), count);
  using namespace std::string_view_literals;
  constexpr std::pair<std::string_view, std::string_view> kMarks[] = {{"\x1F\x8B"sv, "gzip"sv},
                                                                      {"BZh"sv, "bzip2"sv},
                                                                      {"\xFD"
                                                                       "7zXZ\0"sv,
                                                                       "xz"sv},
                                                                      {"\x28\xB5\x2F\xFD"sv, "zstd"sv},
                                                                      {"\x04\x22\x4D\x18"sv, "lz4"sv}};
  for (const auto& [mark, name] : kMarks) {
    if (start.substr(0, mark.size()) == mark) return std::string(name);
  }
  return "";
}

NoTar no_tar(const TarInput& input) {
  std::array<std::byte, kBlock> bytes{};
  const std::size_t count = input.read(0, bytes);
  if (count == 0) return NoTar::kNothing;
  if (is_tar_header(bytes)) return NoTar::kMaybeTar;
  std::string start(reinterpret_cast<const char*>(bytes.data()), count);
  using namespace std::string_view_literals;
  constexpr std::pair<std::string_view, NoTar> kMarks[] = {
      {"PAR1"sv, NoTar::kParquet},        {"PK\x03\x04"sv, NoTar::kOtherFormat},
      {"%PDF"sv, NoTar::kOtherFormat},    {"\x89HDF\r\n"sv, NoTar::kOtherFormat},
      {"\x89PNG"sv, NoTar::kOtherFormat}, {"\xFF\xD8\xFF"sv, NoTar::kOtherFormat},
      {"Rar!"sv, NoTar::kOtherFormat},    {"7z\xBC\xAF'"sv, NoTar::kOtherFormat}};
  for (const auto& [mark, what] : kMarks) {
    if (start.compare(0, mark.size(), mark) == 0) return what;
  }
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (start.compare(0, kByteOrderMark.size(), kByteOrderMark) == 0) start.erase(0, kByteOrderMark.size());
  start.erase(0, std::min(start.find_first_not_of(" \t\r\n"), start.size()));
  std::transform(start.begin(), start.end(), start.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const auto begins = [&](std::string_view mark) { return start.compare(0, mark.size(), mark) == 0; };
  if (begins("version https://git-lfs")) return NoTar::kGitLfs;
  const bool xml = begins("<?xml");
  if (begins("<!doctype") || begins("<html") || (xml && start.find("<html") != std::string::npos))
    return NoTar::kHtml;
  const std::size_t inside = begins("{") ? start.find_first_not_of(" \t\r\n", 1) : std::string::npos;
  const bool json = inside != std::string::npos && start[inside] == '"';
  return xml || begins("<error>") || json ? NoTar::kXmlOrJson : NoTar::kMaybeTar;
}

NoTarText describe(NoTar what) {
  switch (what) {
    case NoTar::kMaybeTar:
      break;
    case NoTar::kNothing:
      return {"tars of 0 bytes", "it is empty: fetch it again"};
    case NoTar::kGitLfs:
      return {"files that are no tars: Git LFS pointers",
              "it is a Git LFS pointer: \"git lfs pull\" fetches the file it stands for"};
    case NoTar::kHtml:
      return {"files that are no tars: HTML pages",
              "it is an HTML page, as servers send in the place of a file: fetch it again"};
    case NoTar::kXmlOrJson:
      return {"files that are no tars: XML or JSON texts",
              "it is an XML or JSON text, as object stores send in the place of a file: fetch it again"};
    case NoTar::kParquet:
      return {"files that are no tars: Parquet files", "it is a Parquet file: name it under \"table\""};
    case NoTar::kOtherFormat:
      return {"files that are no tars: of another format",
              "it begins as a zip, RAR, 7z, PDF, HDF5, JPEG or PNG file does"};
  }
  return {};
}

bool only_zeros(const TarInput& input) {
  std::vector<std::byte> bytes(std::min<std::uint64_t>(input.size(), kSearchWindow));
  std::uint64_t at = 0;
  while (at < input.size()) {
    const std::size_t count = input.read(at, bytes);
    if (count == 0 || !is_zero(std::span(bytes).first(count))) return false;
    at += count;
  }
  return at > 0;
}

bool is_tar_header(std::span<const std::byte> block) {
  if (block.size() < kBlock) return false;
  const auto stated = octal_field(block, kChecksumAt, kChecksumLength);
  if (!stated) return false;
  // Some old programs summed signed bytes; both are in use (GNU tar manual).
  std::int64_t plain = 0;
  std::int64_t with_sign = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const bool blank = i >= kChecksumAt && i < kChecksumAt + kChecksumLength;
    const auto byte = blank ? std::uint8_t{' '} : static_cast<std::uint8_t>(block[i]);
    plain += byte;
    with_sign += static_cast<std::int8_t>(byte);
  }
  const auto value = static_cast<std::int64_t>(*stated);
  return value == plain || value == with_sign;
}

std::optional<std::uint64_t> tar_header_size(std::span<const std::byte> block) {
  if (block.size() < kBlock) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(block[kSizeAt]);
  if ((first & 0x80U) == 0) {
    // An empty field is a zero to every tar program.
    if (text_field(block, kSizeAt, kSizeLength).find_first_not_of(' ') == std::string_view::npos) return 0;
    return octal_field(block, kSizeAt, kSizeLength);
  }
  // GNU's base-256: big-endian two's complement under the mark bit.
  if ((first & 0x7FU) != 0) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 1; i < kSizeLength; ++i) {
    if (value > (kMaxSize >> 8U)) return std::nullopt;
    value = (value << 8U) | static_cast<std::uint8_t>(block[kSizeAt + i]);
  }
  return value > kMaxSize ? std::nullopt : std::optional(value);
}

namespace {

TarMemberKind kind_of(char type, bool sparse) {
  switch (type) {
    case '0':
    case '\0':
    case '7':
      return sparse ? TarMemberKind::kSparse : TarMemberKind::kFile;
    case '1':
      return TarMemberKind::kHardLink;
    case '2':
      return TarMemberKind::kSymbolicLink;
    case 'S':
      return TarMemberKind::kSparse;
    default:
      return TarMemberKind::kSpecial;
  }
}

}  // namespace

struct TarReader::State {
  std::unique_ptr<TarInput> input;
  std::uint64_t size = 0;
  std::uint64_t position = 0;
  bool ended = false;
  std::size_t archive = 0;
  std::vector<TarDamage> damage;
  std::vector<std::byte> window;
  std::uint64_t window_at = 0;

  /// The block at an offset; empty at the end of the archive. Valid until the next call.
  std::span<const std::byte> block(std::uint64_t offset, std::size_t window_size = kWindow) {
    if (offset < window_at || offset + kBlock > window_at + window.size()) {
      window.resize(std::min<std::uint64_t>(window_size, size - std::min(offset, size)));
      window.resize(input->read(offset, window));
      window_at = offset;
    }
    if (offset + kBlock > window_at + window.size()) return {};
    return std::span(window).subspan(offset - window_at, kBlock);
  }

  void note(std::uint64_t offset, std::string what) { damage.push_back({offset, std::move(what)}); }

  /// Goes to the next believable header after `from`; to the end when there is none.
  void search(std::uint64_t from) {
    position = from;
    for (auto bytes = block(position, kSearchWindow); !bytes.empty();
         bytes = block(position, kSearchWindow)) {
      if (has_magic(bytes) && is_tar_header(bytes) && bytes[0] != std::byte{0}) return;
      position += kBlock;
    }
    ended = true;
  }

  /// Goes from the end mark of an archive to the one that follows, if any does.
  void pass_end(std::uint64_t from) {
    position = from;
    auto bytes = block(position, kSearchWindow);
    for (; !bytes.empty() && is_zero(bytes); bytes = block(position, kSearchWindow)) position += kBlock;
    if (bytes.empty()) {
      std::array<std::byte, kBlock> rest{};
      input->read(position, rest);
      if (!is_zero(rest)) note(position, "what follows the end of the archive is no tar");
      ended = true;
      return;
    }
    if (!is_tar_header(bytes)) {
      note(position, "what follows the end of the archive is no tar");
      search(position + kBlock);
    }
    ++archive;
  }

  /// Content of an extension header that starts at `offset`; empty when it is too long or cut off.
  std::optional<std::string> extension(std::uint64_t offset, std::uint64_t length) const {
    if (length > kMaxExtension || length > size - offset) return std::nullopt;
    std::string text(length, '\0');
    if (input->read(offset, std::as_writable_bytes(std::span(text))) != length) return std::nullopt;
    return text;
  }

  std::optional<TarMember> next();
  bool read_extension(char type, std::uint64_t data, std::uint64_t length, Extensions& extensions);
};

bool TarReader::State::read_extension(char type, std::uint64_t data, std::uint64_t length,
                                      Extensions& extensions) {
  const auto text = extension(data, length);
  if (!text) return false;
  if (type == 'L' || type == 'K') {
    (type == 'L' ? extensions.name : extensions.target) = text->substr(0, text->find('\0'));
    return true;
  }
  return type != 'x' || parse_pax(*text, extensions);
}

std::optional<TarMember> TarReader::State::next() {
  Extensions extensions;
  while (!ended) {
    const std::uint64_t at = position;
    const auto header = block(at);
    if (header.empty()) {
      if (at < size) note(at, "the archive is cut off inside a header");
      ended = true;
      break;
    }
    if (is_zero(header)) {
      const auto second = block(at + kBlock);
      if (second.empty() || is_zero(second)) {
        pass_end(at + kBlock);
        extensions = {};
        continue;
      }
      note(at, "an empty block between members");
      search(at + kBlock);
      extensions = {};
      continue;
    }
    if (!is_tar_header(header)) {
      note(at, "the header's checksum is wrong");
      search(at + kBlock);
      extensions = {};
      continue;
    }
    const char type = static_cast<char>(header[kTypeAt]);
    const bool carries_data = type < '1' || type > '6';
    auto length = tar_header_size(header);
    const bool extends = type == 'x' || type == 'L' || type == 'K' || type == 'g';
    if (extensions.size && !extends) length = extensions.size;
    std::string name = extensions.name.value_or("");
    if (!extensions.name) {
      // GNU's own format uses the place of the prefix for other things.
      const bool posix = std::memcmp(header.data() + kMagicAt, "ustar\0", 6) == 0;
      const auto prefix = posix ? text_field(header, kPrefixAt, kPrefixLength) : std::string_view();
      name = prefix.empty() ? "" : std::string(prefix) + "/";
      name += text_field(header, 0, kNameLength);
    }
    std::string target;
    if (type == '1' || type == '2')
      target = extensions.target ? *extensions.target : text_field(header, kLinkAt, kNameLength);
    if (!length) {
      note(at, "the header states an impossible size");
      search(at + kBlock);
      extensions = {};
      continue;
    }
    std::uint64_t data = at + kBlock;
    bool more = type == 'S' && header[kGnuExtendedAt] != std::byte{0};
    while (more) {
      const auto map = block(data);
      more = !map.empty() && map[504] != std::byte{0};
      data += kBlock;
    }
    const bool whole = !carries_data || (data <= size && *length <= size - data);
    if (extends) {
      if (!whole || !read_extension(type, data, *length, extensions)) {
        note(at, "an extension header is damaged");
        search(at + kBlock);
        extensions = {};
        continue;
      }
      position = data + rounded_up(*length);
      continue;
    }
    TarMember member{std::move(name),   data,   carries_data ? *length : 0, kind_of(type, extensions.sparse),
                     std::move(target), archive};
    extensions = {};
    if (whole) {
      position = carries_data ? data + rounded_up(*length) : data;
    } else {
      note(at, "the archive ends before the member " + member.name.substr(0, 200) + " of " +
                   std::to_string(*length) + " bytes does");
      search(at + kBlock);
    }
    // Old programs mark folders by a slash alone; what describes a whole volume is no member.
    if (type == '5' || type == 'D' || type == 'V' || (!member.name.empty() && member.name.back() == '/'))
      continue;
    if (member.name.empty()) member.kind = TarMemberKind::kSpecial;
    return member;
  }
  return std::nullopt;
}

TarReader::TarReader(std::unique_ptr<TarInput> input) : state_(std::make_unique<State>()) {
  state_->input = std::move(input);
  state_->size = state_->input->size();
}

TarReader::~TarReader() = default;

std::optional<TarMember> TarReader::next() {
  return state_->next();
}

std::optional<std::string> TarReader::read(const TarMember& member, std::size_t max_bytes) const {
  if (member.kind != TarMemberKind::kFile || member.size > max_bytes || member.offset > state_->size ||
      member.size > state_->size - member.offset)
    return std::nullopt;
  std::string text(static_cast<std::size_t>(member.size), '\0');
  if (state_->input->read(member.offset, std::as_writable_bytes(std::span(text))) != text.size())
    return std::nullopt;
  return text;
}

const std::vector<TarDamage>& TarReader::damage() const {
  return state_->damage;
}

}  // namespace quasar::corpus
