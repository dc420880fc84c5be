// Owns embeddings that others have made, by the ids of their pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/vector_file.h"

namespace quasar::dataset {

/// Rows of vector files with an id each. Ids are held as 128 bits of their hashes. Reading is thread-safe.
class StoredVectors {
 public:
  /// `ids`: text files of as many lines as the vector files, together, have rows: line i names row i. Throws
  /// Error(kInput), with file and line, when numbers or dimensions disagree, or an id comes twice.
  StoredVectors(const std::vector<std::filesystem::path>& vectors,
                const std::vector<std::filesystem::path>& ids);

  std::size_t dimension() const { return dimension_; }
  std::uint64_t size() const { return keys_.size(); }
  /// The row of that id.
  std::optional<std::uint64_t> find(std::string_view id) const;
  /// A row into values [d].
  void read(std::uint64_t row, std::span<float> values) const;

 private:
  struct Key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::uint64_t row = 0;
  };
  void read_ids(const std::vector<std::filesystem::path>& ids);

  std::vector<store::VectorFile> files_;
  std::vector<std::uint64_t> begins_;  ///< First row of each file; the total at the end.
  std::vector<Key> keys_;              ///< Ascending.
  std::size_t dimension_ = 0;
};

}  // namespace quasar::dataset
