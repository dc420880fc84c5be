// Internal to the module: the part of DuckDB's C interface that is called here, declared anew. Its version is
// 1.2 (of DuckDB 1.2 and all later 1.x, which add to it and take nothing away).
// https://duckdb.org/docs/stable/clients/c/api
#pragma once

#include <cstdint>

namespace quasar::duckdb::abi {

// Handles; the library alone knows what they point to.
using Handle = struct Opaque*;
using Config = Handle;
using DatabaseHandle = Handle;
using Connection = Handle;
using Prepared = Handle;
using Pending = Handle;
using DataChunk = Handle;
using Vector = Handle;

/// duckdb_state.
enum class State : int { kSuccess = 0, kError = 1 };

/// duckdb_result, which some functions take by value.
struct Result {
  std::uint64_t column_count;
  std::uint64_t row_count;
  std::uint64_t rows_changed;
  void* columns;
  char* error_message;
  void* internal;
};

/// duckdb_string_t: an entry of a column of text, which stays the vector's.
struct String {
  std::uint32_t length;
  char prefix[4];
  const char* pointer;
};
static_assert(sizeof(String) == 16);

/// Each member is the function "duckdb_" and its name.
struct Functions {
  const char* (*library_version)();
  State (*create_config)(Config* config);
  State (*set_config)(Config config, const char* name, const char* option);
  void (*destroy_config)(Config* config);
  State (*open_ext)(const char* path, DatabaseHandle* database, Config config, char** error);
  void (*close)(DatabaseHandle* database);
  State (*connect)(DatabaseHandle database, Connection* connection);
  void (*disconnect)(Connection* connection);
  void (*free)(void* pointer);
  State (*prepare)(Connection connection, const char* query, Prepared* statement);
  const char* (*prepare_error)(Prepared statement);
  void (*destroy_prepare)(Prepared* statement);
  State (*pending_prepared_streaming)(Prepared statement, Pending* pending);
  const char* (*pending_error)(Pending pending);
  State (*execute_pending)(Pending pending, Result* result);
  void (*destroy_pending)(Pending* pending);
  const char* (*result_error)(Result* result);
  void (*destroy_result)(Result* result);
  std::uint64_t (*column_count)(Result* result);
  const char* (*column_name)(Result* result, std::uint64_t column);
  DataChunk (*fetch_chunk)(Result result);
  std::uint64_t (*data_chunk_get_size)(DataChunk chunk);
  Vector (*data_chunk_get_vector)(DataChunk chunk, std::uint64_t column);
  void (*destroy_data_chunk)(DataChunk* chunk);
  void* (*vector_get_data)(Vector vector);
  std::uint64_t* (*vector_get_validity)(Vector vector);
  bool (*validity_row_is_valid)(std::uint64_t* validity, std::uint64_t row);
  std::uint32_t (*string_t_length)(String string);
  const char* (*string_t_data)(String* string);
};

}  // namespace quasar::duckdb::abi
