// Owns the rows of Parquet tables, as LAION, DataComp, img2dataset and others write them, read by DuckDB.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "corpus/sources/table_rows.h"

namespace quasar::corpus {

/// Rows stream: what is held of a table of any length is a row group. Columns of every type are text: numbers
/// as short as they can be read back, structures as DuckDB writes them; numbers that are none are left empty
/// and counted. Throws Error(kInput) without DuckDB's library, saying how to get it, for a column that is not
/// there, and for a table that is damaged, even if it ends its reader.
std::unique_ptr<TableRows> open_parquet(const SourceConfig& source, const std::vector<std::string>& columns,
                                        SourceCounts& counts);

}  // namespace quasar::corpus
