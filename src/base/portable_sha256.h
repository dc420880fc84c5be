// Owns SHA-256 without a library, for machines where OpenSSL is not installed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace quasar::base {

/// Incremental SHA-256 (FIPS 180-4) in portable C++; some four times slower than OpenSSL's.
class PortableSha256 {
 public:
  void update(std::span<const std::byte> bytes);
  /// The digest; call once.
  std::array<unsigned char, 32> digest();

 private:
  static constexpr std::size_t kBlock = 64;
  void process(const std::byte* block);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, kBlock> pending_{};
  std::size_t pending_size_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace quasar::base
