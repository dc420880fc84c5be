#include "duckdb/database.h"

#include <dlfcn.h>

#include <cstdlib>
#include <utility>

#include "base/errors.h"
#include "duckdb/abi.h"

namespace quasar::duckdb {
namespace {

constexpr const char* kUsualName = "libduckdb.so";
constexpr const char* kHowToGet =
    "; DuckDB's makers offer it (https://duckdb.org/install, \"C/C++\": libduckdb-linux-*.zip), and so does "
    "npm "
    "(npm pack @duckdb/node-bindings-linux-x64). Then QUASAR_DUCKDB=/PATH/libduckdb.so names it";

[[noreturn]] void fail(const std::string& message) {
  base::fail(base::ExitCode::kInput, message);
}

std::string library_name() {
  const char* const named = std::getenv(kLibraryVariable);
  return named != nullptr && *named != '\0' ? named : kUsualName;
}

void* open_library(const std::string& name) {
  // It stays: a library with threads and memory of its own is not made to be unloaded.
  void* const library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    const char* const why = ::dlerror();
    fail("DuckDB's C library, which reads Parquet, cannot be loaded (" +
         std::string(why != nullptr ? why : name) + ")" + kHowToGet);
  }
  return library;
}

template <typename Function>
void find(void* library, const std::string& library_name, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, symbol));
  if (function == nullptr)
    fail(library_name + " is no DuckDB of version 1.2 or later: it has no " + symbol + kHowToGet);
}

abi::Functions load() {
  const std::string name = library_name();
  void* const library = open_library(name);
  abi::Functions functions{};
#define QUASAR_FIND(member) find(library, name, "duckdb_" #member, functions.member)
  QUASAR_FIND(library_version);
  QUASAR_FIND(create_config);
  QUASAR_FIND(set_config);
  QUASAR_FIND(destroy_config);
  QUASAR_FIND(open_ext);
  QUASAR_FIND(close);
  QUASAR_FIND(connect);
  QUASAR_FIND(disconnect);
  QUASAR_FIND(free);
  QUASAR_FIND(prepare);
  QUASAR_FIND(prepare_error);
  QUASAR_FIND(destroy_prepare);
  QUASAR_FIND(pending_prepared_streaming);
  QUASAR_FIND(pending_error);
  QUASAR_FIND(execute_pending);
  QUASAR_FIND(destroy_pending);
  QUASAR_FIND(result_error);
  QUASAR_FIND(destroy_result);
  QUASAR_FIND(column_count);
  QUASAR_FIND(column_name);
  QUASAR_FIND(fetch_chunk);
  QUASAR_FIND(data_chunk_get_size);
  QUASAR_FIND(data_chunk_get_vector);
  QUASAR_FIND(destroy_data_chunk);
  QUASAR_FIND(vector_get_data);
  QUASAR_FIND(vector_get_validity);
  QUASAR_FIND(validity_row_is_valid);
  QUASAR_FIND(string_t_length);
  QUASAR_FIND(string_t_data);
#undef QUASAR_FIND
  const std::string version = functions.library_version();
  if (version.compare(0, 3, "v1.") != 0)
    fail(name + " is DuckDB " + version + ", and what is known here is version 1" + kHowToGet);
  return functions;
}

std::string words_of(const char* error) {
  return error != nullptr ? error : "DuckDB does not say why";
}

std::string quoted_by(char quote, std::string_view text) {
  std::string result(1, quote);
  for (const char c : text) {
    if (c == quote) result.push_back(quote);
    result.push_back(c);
  }
  return result + quote;
}

}  // namespace

void load_library() {
  load();
}

std::string quoted(std::string_view text) {
  return quoted_by('\'', text);
}

std::string quoted_name(std::string_view name) {
  return quoted_by('"', name);
}

struct Database::State {
  abi::Functions duckdb = load();
  abi::DatabaseHandle database = nullptr;
  abi::Connection connection = nullptr;

  State() {
    abi::Config config = nullptr;
    if (duckdb.create_config(&config) != abi::State::kSuccess) fail("DuckDB cannot be configured");
    char* error = nullptr;
    auto state = abi::State::kSuccess;
    for (const auto& [name, value] :
         {std::pair("threads", "1"), std::pair("memory_limit", "4GB"), std::pair("temp_directory", ""),
          std::pair("autoinstall_known_extensions", "false"), std::pair("autoload_known_extensions", "false"),
          std::pair("allow_community_extensions", "false")}) {
      if (duckdb.set_config(config, name, value) != abi::State::kSuccess) state = abi::State::kError;
    }
    if (state == abi::State::kSuccess) state = duckdb.open_ext(nullptr, &database, config, &error);
    duckdb.destroy_config(&config);
    if (state == abi::State::kSuccess) state = duckdb.connect(database, &connection);
    if (state == abi::State::kSuccess) return;
    const std::string words = words_of(error);
    duckdb.free(error);
    duckdb.close(&database);
    fail("DuckDB cannot be started: " + words);
  }
  ~State() {
    duckdb.disconnect(&connection);
    duckdb.close(&database);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

struct Rows::State {
  abi::Functions duckdb;
  abi::Prepared statement = nullptr;
  abi::Pending pending = nullptr;
  abi::Result result{};
  std::vector<std::string> columns;
  abi::DataChunk chunk = nullptr;
  std::uint64_t chunk_rows = 0;
  std::uint64_t row = 0;  // Of the chunk, one behind the current.

  State(const abi::Functions& functions, abi::Connection connection, const std::string& sql)
      : duckdb(functions) {
    std::string error;
    if (duckdb.prepare(connection, sql.c_str(), &statement) != abi::State::kSuccess) {
      error = words_of(duckdb.prepare_error(statement));
    } else if (duckdb.pending_prepared_streaming(statement, &pending) != abi::State::kSuccess) {
      error = words_of(duckdb.pending_error(pending));
    } else if (duckdb.execute_pending(pending, &result) != abi::State::kSuccess) {
      error = words_of(duckdb.result_error(&result));
    } else {
      for (std::uint64_t i = 0; i < duckdb.column_count(&result); ++i)
        columns.emplace_back(duckdb.column_name(&result, i));
      return;
    }
    release();
    fail(error);
  }
  ~State() { release(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void release() {
    duckdb.destroy_data_chunk(&chunk);
    duckdb.destroy_result(&result);
    duckdb.destroy_pending(&pending);
    duckdb.destroy_prepare(&statement);
  }
};

Rows::Rows(std::unique_ptr<State> state) : state_(std::move(state)) {}
Rows::~Rows() = default;
Rows::Rows(Rows&&) noexcept = default;

const std::vector<std::string>& Rows::columns() const {
  return state_->columns;
}

bool Rows::next() {
  auto& duckdb = state_->duckdb;
  while (state_->row >= state_->chunk_rows) {
    duckdb.destroy_data_chunk(&state_->chunk);
    state_->row = state_->chunk_rows = 0;
    state_->chunk = duckdb.fetch_chunk(state_->result);
    if (state_->chunk == nullptr) {
      if (const char* const error = duckdb.result_error(&state_->result); error != nullptr && *error != '\0')
        fail(error);
      return false;
    }
    state_->chunk_rows = duckdb.data_chunk_get_size(state_->chunk);
  }
  ++state_->row;
  return true;
}

std::optional<std::string_view> Rows::text(std::size_t column) const {
  const auto& duckdb = state_->duckdb;
  const std::uint64_t row = state_->row - 1;
  const abi::Vector vector = duckdb.data_chunk_get_vector(state_->chunk, column);
  // No mask: nothing in it is NULL.
  std::uint64_t* const validity = duckdb.vector_get_validity(vector);
  if (validity != nullptr && !duckdb.validity_row_is_valid(validity, row)) return std::nullopt;
  auto* const strings = static_cast<abi::String*>(duckdb.vector_get_data(vector));
  return std::string_view(duckdb.string_t_data(&strings[row]), duckdb.string_t_length(strings[row]));
}

Database::Database() : state_(std::make_unique<State>()) {}
Database::~Database() = default;

Rows Database::query(const std::string& sql) const {
  return Rows(std::make_unique<Rows::State>(state_->duckdb, state_->connection, sql));
}

}  // namespace quasar::duckdb
