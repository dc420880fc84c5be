// Owns what no shape of a checkpoint tells.
#pragma once

namespace quasar::encoder {

/// Numbers of attention heads, for the "any" presets; the published models' are part of their preset.
struct HeadCounts {
  int trunk = 0;   ///< Of the image tower; 0: heads of width 64, as in all published models but the largest.
  int pooler = 0;  ///< Of CoCa's attentional pooler; 0: 8.
  int text = 0;    ///< Of the text tower; 0: heads of width 64, as in all published models.

  friend bool operator==(const HeadCounts&, const HeadCounts&) = default;
};

}  // namespace quasar::encoder
