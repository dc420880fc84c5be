// Owns NumPy's .npy files: reading of matrices of floating-point numbers, which come from anywhere, and the
// headers of those that are written.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quasar::store {

enum class NpyType {
  kHalf,    ///< '<f2'
  kFloat,   ///< '<f4'
  kDouble,  ///< '<f8'
};

/// Where the values of a matrix lie in the bytes of a file; an array of one dimension is a single row.
struct NpyHeader {
  NpyType type = NpyType::kFloat;
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  std::size_t data = 0;  ///< Offset of the first value.
};

/// The header of a file of format 1.0, in C order, up to the first value. `descr` and `shape` as Python
/// writes them: "'<f2'", "(3, 4)".
std::string npy_header(std::string_view descr, std::string_view shape);

/// Reads the header of a whole file; the values that it promises are there. Throws Error(kInput), without the
/// file's name, for bytes that are no .npy file, one that is cut, or one that is no matrix of little-endian
/// floating-point numbers in C order.
NpyHeader read_npy_header(std::span<const std::byte> file);

/// Rows first..first+count-1 of the file whose header this is, as float32 [count, columns].
void read_npy_rows(std::span<const std::byte> file, const NpyHeader& header, std::uint64_t first,
                   std::uint64_t count, std::span<float> values);

}  // namespace quasar::store
