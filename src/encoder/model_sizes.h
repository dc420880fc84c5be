// Internal to the module: the sizes of each family of networks, as plain values. Free of LibTorch, so that
// configurations can be read and checked by programs that do not load it.
#pragma once

#include <array>
#include <cstdint>

namespace quasar::encoder {

enum class Activation {
  kGelu,       ///< x * Phi(x), the exact form with erf.
  kGeluTanh,   ///< x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
  kQuickGelu,  ///< x * sigmoid(1.702 x).
  kSwiGlu,     ///< silu(a) * b of the two halves of the expanded vector.
};

/// What the blocks of one tower share.
struct BlockSizes {
  std::int64_t width = 0;
  std::int64_t hidden = 0;  ///< Length of the vector that `contract` takes.
  std::int64_t heads = 0;
  Activation activation = Activation::kGelu;
  bool rotated = false;  ///< Queries and keys are rotated by their patch's place (RoPE).
};

struct ClipResNetSizes {
  std::array<int, 4> layers = {3, 4, 6, 3};
  std::int64_t width = 64;          ///< Channels after the stem; the last stage has 32 times as many.
  std::int64_t embedding = 1024;    ///< Length of the output.
  std::int64_t position_rows = 50;  ///< 1 + (training side / 32)^2.

  friend bool operator==(const ClipResNetSizes&, const ClipResNetSizes&) = default;
};

/// Whether the attention pool adds its positional rows, resampled to the picture's size, or none.
enum class PositionRows { kUsed, kLeftOut };

struct VisionTransformerSizes {
  std::int64_t width = 1024;
  int layers = 24;
  std::int64_t heads = 16;
  std::int64_t hidden = 4096;
  std::int64_t patch = 14;
  std::int64_t position_rows = 257;  ///< 1 + (side / patch)^2.
  std::int64_t embedding = 768;
  Activation activation = Activation::kGelu;

  BlockSizes block() const { return {width, hidden, heads, activation}; }
  /// Side of the pictures it takes, in pixels; 0 when the rows make no square.
  std::int64_t side() const;
};

struct CocaSizes {
  VisionTransformerSizes trunk;  ///< Its embedding is the pooler's width and the output's length.
  std::int64_t queries = 256;
  std::int64_t pooler_heads = 8;
};

struct DinoV2Sizes {
  std::int64_t width = 1024;
  int layers = 24;
  std::int64_t heads = 16;
  std::int64_t hidden = 4096;  ///< Length of the vector that the last layer of a block's network takes.
  std::int64_t patch = 14;
  std::int64_t position_rows = 1370;  ///< 1 + (training side / patch)^2.
  std::int64_t registers = 0;         ///< Models with registers also interpolate positions in another way.
  Activation activation = Activation::kGelu;

  BlockSizes block() const { return {width, hidden, heads, activation}; }
};

struct DinoV3Sizes {
  std::int64_t width = 1024;
  int layers = 24;
  std::int64_t heads = 16;
  std::int64_t hidden = 4096;  ///< As DinoV2Sizes has it.
  std::int64_t patch = 16;
  std::int64_t registers = 4;
  Activation activation = Activation::kGelu;
  bool biased = true;  ///< Queries, keys and values have a bias, which is zero in all that was published.
  bool local_norm = false;  ///< The file has a second norm, for training only.

  BlockSizes block() const { return {width, hidden, heads, activation, true}; }
  std::int64_t head_width() const { return heads > 0 ? width / heads : 0; }
};

/// The image tower of SigLIP and SigLIP 2 with fixed resolution.
struct SigLipSizes {
  std::int64_t width = 768;
  int layers = 12;
  std::int64_t heads = 12;  ///< Of the blocks and of the attention pool.
  std::int64_t hidden = 3072;
  std::int64_t patch = 16;
  std::int64_t position_rows = 196;  ///< (side / patch)^2, rounded down.

  BlockSizes block() const { return {width, hidden, heads, Activation::kGeluTanh}; }
  /// Patches along a side; 0 when the rows make no square.
  std::int64_t grid() const;
};

}  // namespace quasar::encoder
