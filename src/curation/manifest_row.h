// Internal to the module: the cells of one row, from the stores, and through the sort.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "curation/column.h"

namespace quasar::curation {

/// One cell per column.
using ManifestRow = std::vector<Cell>;

/// Makes `row` the cells that are known of a stored row; the others have no value.
void read_row(const Columns& columns, const StoredRow& stored, ManifestRow& row);

/// The cells of the packed columns as bytes, in place of what `packed` holds.
void pack_row(const Columns& columns, const ManifestRow& row, std::string& packed);
/// The inverse, with the id, which travels by itself; texts of `row` are views of `packed` and `id`. Cells
/// that do not travel have no value. Throws Error(kInternal) when the bytes are not of these columns.
void unpack_row(const Columns& columns, std::string_view id, std::string_view packed, ManifestRow& row);

}  // namespace quasar::curation
