// Owns reading of vectors that others have made: .npy files, and matrices in HDF5 files of any origin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace quasar::store {

/// A matrix [n, d] of floating-point numbers. A .npy file is mapped and read row by row; of a .h5 or .hdf5
/// file the dataset named behind "::" is read, or the only one that is a matrix or vector of floats, into
/// memory. Reading is thread-safe.
class VectorFile {
 public:
  /// Throws Error(kInput), naming the file and what is wrong, for one that is missing, damaged, or no matrix.
  explicit VectorFile(const std::filesystem::path& name);
  ~VectorFile();
  VectorFile(VectorFile&& other) noexcept;
  VectorFile& operator=(VectorFile&&) = delete;
  VectorFile(const VectorFile&) = delete;
  VectorFile& operator=(const VectorFile&) = delete;

  std::uint64_t rows() const;
  std::uint64_t dimension() const;
  /// Rows first..first+count-1 into values [count, d], as float32. Values that are not finite come as they
  /// are.
  void read(std::uint64_t first, std::uint64_t count, std::span<float> values) const;

 private:
  class Matrix;
  class NpyMatrix;
  class Hdf5Matrix;
  std::unique_ptr<Matrix> matrix_;
};

}  // namespace quasar::store
