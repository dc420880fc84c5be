// Owns DuckDB, which reads Parquet tables: its C library, found when it is first needed, as no distribution
// packages it, and streams of rows out of its queries.
//
//   duckdb::Database database;
//   auto rows = database.query("SELECT url::VARCHAR FROM read_parquet(" + duckdb::quoted(path) + ")");
//   while (rows.next()) use(rows.text(0));
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::duckdb {

/// Names the library's file where the loader does not find libduckdb.so by itself.
inline constexpr const char* kLibraryVariable = "QUASAR_DUCKDB";

/// Loads the library if it is not loaded yet, for who wants to know, or to start a process that uses it.
/// Throws Error(kInput), which says how to get it, where it is missing or is none of version 1.
void load_library();

/// A text as SQL writes it: 'it''s'.
std::string quoted(std::string_view text);
/// A name of a column as SQL writes it: "a ""b""".
std::string quoted_name(std::string_view name);

/// The rows of a query, fetched as they are asked for. Used by one thread.
class Rows {
 public:
  ~Rows();
  Rows(Rows&&) noexcept;
  Rows& operator=(Rows&&) = delete;

  const std::vector<std::string>& columns() const;
  /// Goes to the next row; false at the end. Throws Error(kInput) with DuckDB's words.
  bool next();
  /// The value in a column of type VARCHAR (the query casts what is not); nothing for NULL. Valid until
  /// next().
  std::optional<std::string_view> text(std::size_t column) const;

 private:
  friend class Database;
  struct State;
  explicit Rows(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

/// A database in memory, which works on the calling thread alone, so that rows come in the order of their
/// file; it loads no extension and writes no file that no statement names.
class Database {
 public:
  /// Throws as load_library() does.
  Database();
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Throws Error(kInput) with DuckDB's words. The rows must not outlive the database.
  Rows query(const std::string& sql) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quasar::duckdb
