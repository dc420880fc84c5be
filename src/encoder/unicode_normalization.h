// Internal to the module: Unicode's normalisation form C.
#pragma once

#include <string>
#include <string_view>

namespace quasar::encoder {

/// Composes letters and their marks into single characters where Unicode has them (Unicode Standard Annex 15,
/// form C): "e" and U+0301 become U+00E9. Equivalent texts give the same result.
std::u32string compose(std::u32string_view text);

}  // namespace quasar::encoder
