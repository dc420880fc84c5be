#include "curation/manifest_row.h"

#include <cstdint>
#include <type_traits>
#include <variant>

#include "base/errors.h"
#include "base/packer.h"
#include "base/unpacker.h"

namespace quasar::curation {
namespace {

/// A cell as the number of its alternative and its bytes.
void pack_cell(const Cell& cell, std::string& packed) {
  packed += static_cast<char>(cell.index());
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          base::pack_text(value, packed);
        } else if constexpr (!std::is_same_v<T, std::monostate>) {
          base::pack(value, packed);
        }
      },
      cell);
}

template <std::size_t I = 0>
Cell unpack_cell(std::size_t alternative, base::Unpacker& unpacker) {
  if constexpr (I == std::variant_size_v<Cell>) {
    base::fail(base::ExitCode::kInternal, "a packed row holds a cell of no known kind");
  } else {
    if (alternative != I) return unpack_cell<I + 1>(alternative, unpacker);
    using T = std::variant_alternative_t<I, Cell>;
    if constexpr (std::is_same_v<T, std::string_view>) {
      return unpacker.take_text();
    } else if constexpr (std::is_same_v<T, std::monostate>) {
      return {};
    } else {
      return unpacker.take<T>();
    }
  }
}

}  // namespace

void read_row(const Columns& columns, const StoredRow& stored, ManifestRow& row) {
  row.assign(columns.size(), Cell());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].read != nullptr) row[c] = columns[c].read(stored);
  }
  for (std::size_t s = 0; s < stored.scores.size(); ++s) row[columns.first_score() + s] = stored.scores[s];
}

void pack_row(const Columns& columns, const ManifestRow& row, std::string& packed) {
  packed.clear();
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].packed) pack_cell(row[c], packed);
  }
}

void unpack_row(const Columns& columns, std::string_view id, std::string_view packed, ManifestRow& row) {
  base::Unpacker unpacker(packed, "a packed row");
  row.assign(columns.size(), Cell());
  row[columns.id()] = id;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].packed) row[c] = unpack_cell(unpacker.take<std::uint8_t>(), unpacker);
  }
  QUASAR_CHECK(unpacker.done());
}

}  // namespace quasar::curation
