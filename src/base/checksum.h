// Owns checksums: SHA-256 for what must be identified (weights, plans), xxh128 for what must be told apart
// fast (image bytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace quasar::base {

/// Incremental SHA-256 (FIPS 180-4).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  /// The digest as 64 lower-case hexadecimal digits. Call once.
  std::string hex_digest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-256 of a buffer as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

/// SHA-256 of a file's bytes. Throws Error(kInput) naming the file when it cannot be read.
std::string sha256_file(const std::filesystem::path& path);

/// 128-bit xxHash (XXH3) of a buffer as 32 lower-case hexadecimal digits.
std::string xxh128_hex(std::span<const std::byte> bytes);

/// The same of a file's bytes from `first` on. Throws Error(kInput) naming the file when it cannot be read.
std::string xxh128_file(const std::filesystem::path& path, std::uint64_t first);

/// Incremental xxh128, of the same value.
class Xxh128 {
 public:
  Xxh128();
  ~Xxh128();
  Xxh128(const Xxh128&) = delete;
  Xxh128& operator=(const Xxh128&) = delete;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  /// Of all so far.
  std::string hex_digest() const;
  /// All that is known so far, as bytes, for another process of the job to go on from.
  std::string state() const;
  /// Goes on from there, in place of what is known. Throws Error(kConfig) when the other process has another
  /// version of the library.
  void resume(std::string_view state);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 64-bit xxHash (XXH3) of a buffer with a seed: for sampling decisions that must not depend on order.
std::uint64_t xxh64(std::string_view text, std::uint64_t seed);

}  // namespace quasar::base
