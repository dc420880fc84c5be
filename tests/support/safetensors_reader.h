// Owns a small reader of safetensors for golden data, so that tests of modules without LibTorch can use it.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace quasar::test {

class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    std::uint64_t length = 0;
    if (bytes_.size() < sizeof length) throw std::runtime_error("no safetensors file: " + path.string());
    std::memcpy(&length, bytes_.data(), sizeof length);
    header_ = nlohmann::json::parse(bytes_.substr(sizeof length, length));
    data_ = sizeof length + length;
  }

  /// Names of all tensors.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : header_.items()) {
      if (name != "__metadata__") names.push_back(name);
    }
    return names;
  }
  bool has(const std::string& name) const { return header_.contains(name); }
  std::vector<std::int64_t> shape(const std::string& name) const {
    return header_.at(name).at("shape").get<std::vector<std::int64_t>>();
  }
  /// Values of a tensor whose stored type is T.
  template <typename T>
  std::vector<T> values(const std::string& name) const {
    const auto offsets = header_.at(name).at("data_offsets").get<std::vector<std::size_t>>();
    std::vector<T> result((offsets[1] - offsets[0]) / sizeof(T));
    std::memcpy(result.data(), bytes_.data() + data_ + offsets[0], result.size() * sizeof(T));
    return result;
  }

 private:
  std::string bytes_;
  nlohmann::json header_;
  std::size_t data_ = 0;
};

}  // namespace quasar::test
