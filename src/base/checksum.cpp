#include "base/checksum.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "base/errors.h"

#ifdef QUASAR_WITHOUT_OPENSSL
#include "base/portable_sha256.h"
#else
#include <openssl/evp.h>
#endif
#ifndef QUASAR_WITHOUT_XXHASH
// For the size of a hash's state.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
#endif

namespace quasar::base {
namespace {

std::string to_hex(std::span<const unsigned char> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    hex.push_back(kDigits[byte >> 4U]);
    hex.push_back(kDigits[byte & 0xFU]);
  }
  return hex;
}

/// Calls take(block) for a file's bytes from `first` on, in order.
template <typename Take>
void for_blocks(const std::filesystem::path& path, std::uint64_t first, const Take& take) {
  std::ifstream file(path, std::ios::binary);
  if (!file || !file.seekg(static_cast<std::streamoff>(first)))
    fail(ExitCode::kInput, "cannot read " + path.string() + ": " + describe_errno(errno));
  std::vector<char> buffer(std::size_t{1} << 20U);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    take(std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(file.gcount()))));
  }
  if (file.bad()) fail(ExitCode::kInput, "cannot read " + path.string() + ": " + describe_errno(errno));
}

}  // namespace

#ifndef QUASAR_WITHOUT_OPENSSL
struct Sha256::State {
  EVP_MD_CTX* context = nullptr;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  state_->context = EVP_MD_CTX_new();
  QUASAR_CHECK(state_->context != nullptr);
  QUASAR_CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(state_->context);
}

void Sha256::update(std::span<const std::byte> bytes) {
  QUASAR_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex_digest() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  QUASAR_CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), &size) == 1);
  return to_hex(std::span(digest.data(), size));
}
#else
struct Sha256::State {
  PortableSha256 hash;
};
Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
void Sha256::update(std::span<const std::byte> bytes) {
  state_->hash.update(bytes);
}
std::string Sha256::hex_digest() {
  return to_hex(state_->hash.digest());
}
#endif

void Sha256::update(std::string_view text) {
  update(std::as_bytes(std::span(text.data(), text.size())));
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex_digest();
}

std::string sha256_hex(std::string_view text) {
  return sha256_hex(std::as_bytes(std::span(text.data(), text.size())));
}

std::string sha256_file(const std::filesystem::path& path) {
  Sha256 hash;
  for_blocks(path, 0, [&](std::span<const std::byte> block) { hash.update(block); });
  return hash.hex_digest();
}

#ifndef QUASAR_WITHOUT_XXHASH
namespace {

std::string to_hex(const XXH128_hash_t& hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  return to_hex(std::span(canonical.digest));
}

}  // namespace

std::string xxh128_hex(std::span<const std::byte> bytes) {
  return to_hex(XXH3_128bits(bytes.data(), bytes.size()));
}

struct Xxh128::State {
  XXH3_state_t* hash = XXH3_createState();
  ~State() { XXH3_freeState(hash); }
};

Xxh128::Xxh128() : state_(std::make_unique<State>()) {
  QUASAR_CHECK(state_->hash != nullptr && XXH3_128bits_reset(state_->hash) == XXH_OK);
}
Xxh128::~Xxh128() = default;

void Xxh128::update(std::span<const std::byte> bytes) {
  QUASAR_CHECK(XXH3_128bits_update(state_->hash, bytes.data(), bytes.size()) == XXH_OK);
}

void Xxh128::update(std::string_view text) {
  update(std::as_bytes(std::span(text.data(), text.size())));
}

std::string Xxh128::hex_digest() const {
  return to_hex(XXH3_128bits_digest(state_->hash));
}

std::string Xxh128::state() const {
  const unsigned version = XXH_versionNumber();
  std::string state(reinterpret_cast<const char*>(&version), sizeof version);
  return state.append(reinterpret_cast<const char*>(state_->hash), sizeof *state_->hash);
}

void Xxh128::resume(std::string_view state) {
  unsigned version = 0;
  QUASAR_CHECK(state.size() == sizeof version + sizeof *state_->hash);
  std::memcpy(&version, state.data(), sizeof version);
  if (version != XXH_versionNumber()) {
    fail(ExitCode::kConfig, "the library xxhash is of version " + std::to_string(version) +
                                " on one host and " + std::to_string(XXH_versionNumber()) + " on another");
  }
  // The secret is a constant of the library, which lies elsewhere in every process.
  const auto* secret = state_->hash->extSecret;
  std::memcpy(state_->hash, state.data() + sizeof version, sizeof *state_->hash);
  state_->hash->extSecret = secret;
}

std::string xxh128_file(const std::filesystem::path& path, std::uint64_t first) {
  Xxh128 hash;
  for_blocks(path, first, [&](std::span<const std::byte> block) { hash.update(block); });
  return hash.hex_digest();
}

std::uint64_t xxh64(std::string_view text, std::uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}
#endif

}  // namespace quasar::base
