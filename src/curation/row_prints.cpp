#include "curation/row_prints.h"

#include <span>
#include <string>

#include "base/errors.h"
#include "base/packer.h"
#include "base/unpacker.h"
#include "curation/hash_digits.h"

namespace quasar::curation {
namespace {

using cluster::HashBits;

constexpr std::size_t kBytesDigits = 32;

/// Begins a row that has a hash of its bytes, or has none.
constexpr char kWithBytes = 'b';
constexpr char kWithoutBytes = '-';

void pack_hash(std::string_view digits, std::string& packed) {
  const auto bits = parse_hash(digits);
  if (!bits)
    base::fail(base::ExitCode::kInput,
               "'" + std::string(digits) + "' is no hash in lower-case hexadecimal digits");
  base::pack(*bits, packed);
}

HashBits hash_at(std::string_view packed, std::size_t place) {
  return base::load<HashBits>(std::as_bytes(std::span(packed)), place * sizeof(HashBits));
}

}  // namespace

PackedHashes::PackedHashes(std::string_view packed) : pictures_(packed.substr(1)) {
  if (packed[0] != kWithBytes) return;
  bytes_ = pictures_.substr(0, sizeof(HashBits));
  pictures_.remove_prefix(sizeof(HashBits));
}

HashBits PackedHashes::bytes() const {
  return hash_at(bytes_, 0);
}

std::size_t PackedHashes::pictures() const {
  return pictures_.size() / sizeof(HashBits);
}

HashBits PackedHashes::picture(std::size_t pose) const {
  return hash_at(pictures_, pose);
}

RowPrints::RowPrints(const DuplicateRule& rule, const std::filesystem::path& file)
    : rule_(rule), hashes_(file) {}

void RowPrints::add(const Fingerprint& print) {
  const bool bytes = rule_.exact && print.bytes_hash.size() == kBytesDigits;
  const bool picture =
      rule_.perceptual && print.picture.size() >= kPictureDigits && print.quality >= rule_.quality;
  const bool vector = rule_.cosine && print.vector != kNoVector;
  const auto way = [](bool can, Comparable what) { return can ? static_cast<unsigned>(what) : 0U; };
  ways_.push_back(static_cast<std::uint8_t>(way(bytes, Comparable::kBytes) |
                                            way(picture, Comparable::kPicture) |
                                            way(vector, Comparable::kVector)));
  std::string packed(1, bytes ? kWithBytes : kWithoutBytes);
  if (bytes) pack_hash(print.bytes_hash, packed);
  for (std::size_t at = 0; picture && at + kPictureDigits <= print.picture.size(); at += kPictureDigits)
    pack_hash(print.picture.substr(at, kPictureDigits), packed);
  hashes_.append(packed);
  if (rule_.cosine) vectors_.push_back(print.vector);
}

void RowPrints::finish() {
  hashes_.finish();
}

PackedHashes RowPrints::Reader::at(std::size_t place) {
  // Up to that many rows are read past rather than looked for.
  constexpr std::size_t kNear = 256;
  if (!cursor_ || place - next_ > kNear) {
    cursor_.emplace(prints_.hashes_, place);
    next_ = place;
  }
  std::string_view packed;
  while (next_ <= place) {
    packed = cursor_->next();
    ++next_;
  }
  return PackedHashes(packed);
}

}  // namespace quasar::curation
