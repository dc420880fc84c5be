#include "study/cell_result.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"

namespace quasar::study {
namespace {

nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

double number_of(const nlohmann::json& object, const char* key) {
  const auto& value = object.at(key);
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

}  // namespace

void write_cell(const std::filesystem::path& file, const CellResult& result) {
  nlohmann::ordered_json object;
  object["schema_version"] = 1;
  object["rows"] = result.rows;
  object["n"] = result.n;
  object["unscored"] = result.unscored;
  object["unlabelled"] = result.unlabelled;
  object["good"] = result.good;
  object["bad"] = result.bad;
  object["srcc"] = number(result.srcc);
  object["krcc"] = number(result.krcc);
  object["plcc"] = number(result.plcc);
  object["srcc_low"] = number(result.srcc_low);
  object["srcc_high"] = number(result.srcc_high);
  object["undefined"] = result.undefined;
  object["seconds"] = result.seconds;
  base::write_file_atomically(file, object.dump(1) + "\n");
}

std::optional<CellResult> read_cell(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) return std::nullopt;
  try {
    const auto object = nlohmann::json::parse(stream);
    if (object.at("schema_version") != 1) return std::nullopt;
    CellResult result;
    result.rows = object.at("rows");
    result.n = object.at("n");
    result.unscored = object.at("unscored");
    result.unlabelled = object.at("unlabelled");
    result.good = object.at("good");
    result.bad = object.at("bad");
    result.srcc = number_of(object, "srcc");
    result.krcc = number_of(object, "krcc");
    result.plcc = number_of(object, "plcc");
    result.srcc_low = number_of(object, "srcc_low");
    result.srcc_high = number_of(object, "srcc_high");
    result.undefined = object.at("undefined");
    result.seconds = number_of(object, "seconds");
    return result;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace quasar::study
