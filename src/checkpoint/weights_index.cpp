#include "checkpoint/weights_index.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/errors.h"
#include "base/utf8.h"
#include "checkpoint/input_errors.h"

namespace quasar::checkpoint {
namespace {

/// Bytes of an index with that many long names.
constexpr std::size_t kMostIndex = 100'000'000;

/// Whether a name is that of a file in the folder itself.
bool is_bare_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && base::is_utf8(name) &&
         std::none_of(name.begin(), name.end(),
                      [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20; });
}

/// Takes the events of the JSON: keeps the weight_map, passes over the rest, whatever its depth.
class IndexReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool start_object(std::size_t) override {
    if (depth_ == 1 && key_ == kMap) {
      if (seen_map_) fail_input("it has two weight_maps");
      in_map_ = seen_map_ = true;
    } else {
      no_value("an object");
    }
    ++depth_;
    return true;
  }
  bool end_object() override {
    in_map_ = false;
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) fail_input("a JSON list, no index of weights");
    no_value("a list");
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& key) override {
    if (in_map_ || depth_ == 1) key_ = std::move(key);
    return true;
  }
  bool string(string_t& file) override {
    if (!in_map_) return scalar("a text");
    if (!is_bare_name(file))
      fail_input("weight_map places the tensor " + in_quotes(key_) + " in " + in_quotes(file) +
                 ", which is no name of a file beside the index");
    if (places.size() == kMostTensors) fail_input("it names more tensors than weights have");
    if (!places.emplace(key_, std::move(file)).second)
      fail_input("weight_map has the tensor " + in_quotes(key_) + " twice");
    return true;
  }
  bool null() override { return scalar("null"); }
  bool boolean(bool) override { return scalar("a truth value"); }
  bool number_integer(number_integer_t) override { return scalar("a number"); }
  bool number_unsigned(number_unsigned_t) override { return scalar("a number"); }
  bool number_float(number_float_t, const string_t&) override { return scalar("a number"); }
  bool binary(binary_t&) override { return scalar("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail_input("byte " + std::to_string(position) + " is no JSON; was the index downloaded whole?");
  }

  std::map<std::string, std::string> places;

 private:
  static constexpr std::string_view kMap = "weight_map";

  /// In the map, or in its place, only what the format has there is taken.
  void no_value(const char* found) const {
    if (in_map_)
      fail_input("weight_map has " + std::string(found) + " for the tensor " + in_quotes(key_) +
                 ", where the name of a file belongs");
    if (depth_ == 1 && key_ == kMap && found != std::string_view("an object"))
      fail_input("weight_map is " + std::string(found) + ", no object of tensors and files");
  }
  bool scalar(const char* found) const {
    no_value(found);
    return true;
  }

  std::size_t depth_ = 0;
  bool in_map_ = false;
  bool seen_map_ = false;
  std::string key_;  ///< Of the outermost object, or of the map.
};

}  // namespace

bool looks_like_weights_index(std::span<const std::byte> file) {
  // A safetensors file may begin with the byte of a brace, as part of its length, whose last byte is zero
  // then.
  constexpr std::size_t kLength = 8;
  const auto first = std::find_if(file.begin(), file.end(), [](std::byte b) {
    const char c = static_cast<char>(b);
    return c != ' ' && c != '\t' && c != '\r' && c != '\n';
  });
  return file.size() >= kLength && first != file.end() && *first == std::byte{'{'} &&
         file[kLength - 1] != std::byte{0};
}

std::map<std::string, std::string> parse_weights_index(std::string_view json) {
  if (json.size() > kMostIndex)
    fail_input("an index of " + std::to_string(json.size()) + " bytes; the most allowed is " +
               std::to_string(kMostIndex));
  IndexReader reader;
  nlohmann::json::sax_parse(json, &reader);
  if (reader.places.empty())
    fail_input(
        "a JSON file without a weight_map that names tensors: name the weights themselves, or the index of "
        "their shards (model.safetensors.index.json)");
  return std::move(reader.places);
}

}  // namespace quasar::checkpoint
