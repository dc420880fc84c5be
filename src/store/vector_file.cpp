#include "store/vector_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/dataset_name.h"
#include "base/errors.h"
#include "base/mapped_file.h"
#include "store/h5.h"
#include "store/npy.h"

namespace quasar::store {
namespace {

constexpr std::uint64_t kMostVectorValues = std::uint64_t{1} << 30U;

/// Whether a dataset holds floating-point numbers in one or two dimensions.
bool is_matrix(const h5::File& file, const std::string& dataset) {
  try {
    file.value_bytes(dataset);
    return file.shape(dataset).first > 0;
  } catch (const base::Error&) {
    return false;
  }
}

std::string only_matrix(const h5::File& file, const std::filesystem::path& path) {
  std::string found;
  std::string all;
  int count = 0;
  for (const auto& name : file.dataset_names()) {
    if (!is_matrix(file, name)) continue;
    found = name;
    all += (all.empty() ? "" : ", ") + name;
    ++count;
  }
  if (count == 1) return found;
  base::fail(base::ExitCode::kInput, count == 0
                                         ? path.string() + " holds no matrix of floating-point numbers"
                                         : fmt::format("{} holds {} matrices ({}); name one, as {}::{}",
                                                       path.string(), count, all, path.string(), found));
}

}  // namespace

class VectorFile::Matrix {
 public:
  virtual ~Matrix() = default;
  virtual void read(std::uint64_t first, std::uint64_t count, std::span<float> values) const = 0;
  std::uint64_t rows = 0;
  std::uint64_t dimension = 0;
};

class VectorFile::NpyMatrix : public VectorFile::Matrix {
 public:
  explicit NpyMatrix(const std::filesystem::path& path) : file_(path) {
    try {
      header_ = read_npy_header(file_.bytes());
    } catch (const base::Error& error) {
      base::fail(error.code(), path.string() + ": " + error.what());
    }
    rows = header_.rows;
    dimension = header_.columns;
  }
  void read(std::uint64_t first, std::uint64_t count, std::span<float> values) const override {
    read_npy_rows(file_.bytes(), header_, first, count, values);
  }

 private:
  base::MappedFile file_;
  NpyHeader header_;
};

class VectorFile::Hdf5Matrix : public VectorFile::Matrix {
 public:
  Hdf5Matrix(const std::filesystem::path& path, std::string dataset) {
    const auto guard = h5::lock();
    const auto file = h5::File::open(path);
    if (dataset.empty()) {
      dataset = only_matrix(file, path);
    } else if (!file.has(dataset) || !is_matrix(file, dataset)) {
      base::fail(base::ExitCode::kInput,
                 path.string() + " holds no matrix of floating-point numbers named " + dataset);
    }
    const auto [first, second] = file.shape(dataset);
    rows = second == 0 ? 1 : first;
    dimension = second == 0 ? first : second;
    if (rows > kMostVectorValues / dimension)
      base::fail(base::ExitCode::kInput,
                 fmt::format("{}: {} has {} x {} values, more than are read of an HDF5 file; save it as .npy",
                             path.string(), dataset, rows, dimension));
    values_.resize(rows * dimension);
    file.read(dataset, H5T_NATIVE_FLOAT, 0, first, values_.data());
  }
  void read(std::uint64_t first, std::uint64_t count, std::span<float> values) const override {
    std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(first * dimension), count * dimension,
                values.begin());
  }

 private:
  std::vector<float> values_;
};

VectorFile::VectorFile(const std::filesystem::path& name) {
  const auto [path, dataset] = base::parse_dataset_name(name.string());
  const bool hdf5 = path.extension() == ".h5" || path.extension() == ".hdf5";
  const bool names_dataset = !dataset.empty();
  if (!hdf5 && path.extension() != ".npy")
    base::fail(base::ExitCode::kInput,
               path.string() + ": vectors are read from files named .npy, .h5 and .hdf5");
  if (!hdf5 && names_dataset)
    base::fail(base::ExitCode::kInput, name.string() + ": a .npy file holds one array, which has no name");
  if (hdf5) {
    matrix_ = std::make_unique<Hdf5Matrix>(path, dataset);
  } else {
    matrix_ = std::make_unique<NpyMatrix>(path);
  }
}

VectorFile::~VectorFile() = default;
VectorFile::VectorFile(VectorFile&& other) noexcept = default;

std::uint64_t VectorFile::rows() const {
  return matrix_->rows;
}
std::uint64_t VectorFile::dimension() const {
  return matrix_->dimension;
}
void VectorFile::read(std::uint64_t first, std::uint64_t count, std::span<float> values) const {
  QUASAR_CHECK(first + count <= rows() && values.size() == count * dimension());
  matrix_->read(first, count, values);
}

}  // namespace quasar::store
