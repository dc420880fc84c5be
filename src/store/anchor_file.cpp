#include "store/anchor_file.h"

#include <algorithm>
#include <cmath>

#include "base/checksum.h"
#include "base/errors.h"
#include "store/provenance.h"

namespace quasar::store {
namespace {

constexpr std::uint64_t kMaxValues = std::uint64_t{1} << 28U;
/// Prefixes of attribute names, so that counts and statistics come back as such.
const std::string kCount = "count_";
const std::string kStatistic = "statistic_";

std::vector<float> read_side(const h5::File& file, const std::filesystem::path& path, const char* name,
                             std::size_t& dimension) {
  const auto [rows, columns] = file.shape(name);
  if (rows == 0 || columns == 0 || rows > kMaxValues / columns) {
    base::fail(base::ExitCode::kInput, path.string() + ": the dataset " + name + " is not [pairs, d]");
  }
  file.value_bytes(name);
  std::vector<float> values(rows * columns);
  file.read(name, H5T_NATIVE_FLOAT, 0, rows, values.data());
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
    base::fail(base::ExitCode::kInput,
               path.string() + ": the dataset " + name + " holds values that are not finite");
  }
  dimension = columns;
  return values;
}

/// What sets have on request.
void read_extras(const h5::File& file, const std::filesystem::path& path, AnchorSet& set) {
  const auto read = [&](const char* name, std::vector<float>& values) {
    if (!file.has(name)) return;
    std::size_t dimension = 0;
    values = read_side(file, path, name, dimension);
    if (dimension != set.dimension)
      base::fail(base::ExitCode::kInput, path.string() + ": good and " + name + " differ in dimension");
  };
  read("good_draws", set.good_draws);
  read("bad_draws", set.bad_draws);
  read("neighbours", set.neighbours);
  if (set.good_draws.size() != set.bad_draws.size() || set.good_draws.size() % set.good.size() != 0)
    base::fail(base::ExitCode::kInput, path.string() + ": its draws do not hold as many pairs as it has");
  if (!set.neighbours.empty()) set.nearness_floor = file.real_attribute("nearness_floor");
}

}  // namespace

void write_anchor_file(const std::filesystem::path& path, const AnchorSet& set) {
  QUASAR_CHECK(set.dimension > 0 && set.good.size() == set.bad.size() &&
               set.good.size() == set.pairs() * set.dimension);
  write_whole(path, [&](h5::File& file) {
    write_provenance(file, kAnchorFileSchema);
    write_encoder(file, set.encoder);
    file.write_attribute("name", set.name);
    file.write_attribute("recipe", set.recipe);
    for (const auto& [name, count] : set.counts) file.write_attribute(kCount + name, count);
    for (const auto& [name, value] : set.statistics) file.write_attribute(kStatistic + name, value);
    file.write("good", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, set.good.data(), set.pairs(), set.dimension);
    file.write("bad", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, set.bad.data(), set.pairs(), set.dimension);
    const auto write = [&](const char* name, const std::vector<float>& values) {
      if (!values.empty())
        file.write(name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, values.data(), values.size() / set.dimension,
                   set.dimension);
    };
    write("good_draws", set.good_draws);
    write("bad_draws", set.bad_draws);
    write("neighbours", set.neighbours);
    if (!set.neighbours.empty()) file.write_attribute("nearness_floor", set.nearness_floor);
  });
}

AnchorSet read_anchor_file(const std::filesystem::path& path) {
  const auto guard = h5::lock();
  const auto file = h5::File::open(path);
  check_provenance(file, path, kAnchorFileSchema);
  AnchorSet set;
  set.encoder = read_encoder(file);
  set.name = file.text_attribute("name");
  set.recipe = file.text_attribute("recipe");
  std::size_t bad_dimension = 0;
  set.good = read_side(file, path, "good", set.dimension);
  set.bad = read_side(file, path, "bad", bad_dimension);
  if (set.dimension != bad_dimension || set.good.size() != set.bad.size()) {
    base::fail(base::ExitCode::kInput, path.string() + ": good and bad differ in shape");
  }
  read_extras(file, path, set);
  for (const auto& name : file.attribute_names()) {
    if (name.starts_with(kCount)) set.counts[name.substr(kCount.size())] = file.integer_attribute(name);
    if (name.starts_with(kStatistic))
      set.statistics[name.substr(kStatistic.size())] = file.real_attribute(name);
  }
  return set;
}

std::string anchor_fingerprint(const AnchorSet& set) {
  base::Sha256 sum;
  sum.update(set.encoder.architecture + '\n' + set.encoder.weights_sha256 + '\n' + set.encoder.preprocessing +
             '\n' + set.encoder.dtype + '\n' + std::to_string(set.dimension) + '\n');
  sum.update(std::as_bytes(std::span(set.good)));
  sum.update(std::as_bytes(std::span(set.bad)));
  // Sets without them keep the fingerprints that they had before there were any.
  if (set.draws() > 0) {
    sum.update("draws\n");
    sum.update(std::as_bytes(std::span(set.good_draws)));
    sum.update(std::as_bytes(std::span(set.bad_draws)));
  }
  if (!set.neighbours.empty()) {
    sum.update("neighbours\n" + std::to_string(set.nearness_floor) + "\n");
    sum.update(std::as_bytes(std::span(set.neighbours)));
  }
  return sum.hex_digest();
}

}  // namespace quasar::store
