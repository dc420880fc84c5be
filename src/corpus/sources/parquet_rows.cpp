#include "corpus/sources/parquet_rows.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "base/descriptor.h"
#include "base/errors.h"
#include "base/nearest_word.h"
#include "base/trial.h"
#include "corpus/sources/source_text.h"
#include "duckdb/database.h"

namespace quasar::corpus {
namespace {

class ParquetRows final : public TableRows {
 public:
  ParquetRows(const SourceConfig& source, const std::vector<std::string>& columns, SourceCounts& counts)
      : path_(source.path.string()),
        counts_(counts),
        file_(::open(source.path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!file_.is_open())
      base::fail(base::ExitCode::kInput,
                 "cannot open the table " + path_ + ": " + base::describe_errno(errno));
    // By its number, as a path could hold wildcards, or be none of this file any more. Older writers do not
    // say that their texts are texts.
    reader_ = "/proc/self/fd/" + std::to_string(file_.number());
    table_ = "read_parquet(" + duckdb::quoted(reader_) + ", binary_as_string = true)";
    duckdb::load_library();
    if (const auto lost = base::lost_in_trial([&] { open(columns).run_through(); }, {}))
      base::fail(base::ExitCode::kInput, path_ + ": the table is damaged: reading it by DuckDB " + *lost);
    opened_ = std::make_unique<Opened>(open(columns));
  }

  bool next() override {
    ++row_;
    return said_of_file([&] { return opened_->rows.next(); });
  }
  std::size_t line() const override { return row_; }
  std::string cell(const std::string& column) const override {
    const auto place = opened_->places.at(column);
    const auto text = opened_->rows.text(place.number);
    if (!text) return "";
    if (place.is_float && (*text == "nan" || *text == "-nan" || *text == "inf" || *text == "-inf")) {
      ++counts_.left_out[kNotFinite];
      return "";
    }
    return std::string(*text);
  }

 private:
  struct Place {
    std::size_t number = 0;
    bool is_float = false;
  };
  struct Opened {
    std::unique_ptr<duckdb::Database> database;
    std::map<std::string, Place> places;
    duckdb::Rows rows;

    void run_through() {
      while (rows.next()) {
      }
    }
  };

  /// DuckDB's errors, about the file by its own name.
  template <typename Work>
  auto said_of_file(const Work& work) const -> decltype(work()) {
    try {
      return work();
    } catch (const base::Error& error) {
      std::string words = error.what();
      // What it was asked is ours.
      words.erase(std::min(words.find("\n\nLINE "), words.size()));
      for (std::size_t at = 0; (at = words.find(reader_, at)) != std::string::npos; at += path_.size())
        words.replace(at, reader_.size(), path_);
      base::fail(error.code(), path_ + ": " + words);
    }
  }

  Opened open(const std::vector<std::string>& columns) const {
    return said_of_file([&] {
      auto database = std::make_unique<duckdb::Database>();
      std::map<std::string, std::string> types;
      std::vector<std::string> names;
      for (auto described = database->query("DESCRIBE SELECT * FROM " + table_); described.next();) {
        names.emplace_back(described.text(0).value_or(""));
        types[names.back()] = described.text(1).value_or("");
      }
      std::map<std::string, Place> places;
      std::string selected;
      for (const auto& column : columns) {
        const auto type = types.find(column);
        if (type == types.end()) fail_missing(column, names);
        const Place place{places.size(), type->second == "FLOAT" || type->second == "DOUBLE"};
        if (!places.emplace(column, place).second) continue;
        selected += (selected.empty() ? "" : ", ") + duckdb::quoted_name(column) + "::VARCHAR";
      }
      auto rows = database->query("SELECT " + selected + " FROM " + table_);
      return Opened{std::move(database), std::move(places), std::move(rows)};
    });
  }

  [[noreturn]] static void fail_missing(const std::string& column, const std::vector<std::string>& names) {
    std::string list;
    for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
    base::fail(base::ExitCode::kInput, "there is no column \"" + column + "\"; there are: " + list +
                                           base::did_you_mean(column, names));
  }

  std::string path_;
  SourceCounts& counts_;
  base::Descriptor file_;
  std::string reader_;
  std::string table_;
  std::unique_ptr<Opened> opened_;
  std::size_t row_ = 0;
};

}  // namespace

std::unique_ptr<TableRows> open_parquet(const SourceConfig& source, const std::vector<std::string>& columns,
                                        SourceCounts& counts) {
  return std::make_unique<ParquetRows>(source, columns, counts);
}

}  // namespace quasar::corpus
