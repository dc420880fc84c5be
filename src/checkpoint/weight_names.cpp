#include "checkpoint/weight_names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/utf8.h"
#include "checkpoint/input_errors.h"
#include "checkpoint/weight_name_maps.h"

namespace quasar::checkpoint {
namespace {

/// What `part` is followed by in `text`; nothing when the text does not begin with it.
std::optional<std::string_view> after(std::string_view text, std::string_view part) {
  if (!text.starts_with(part)) return std::nullopt;
  return text.substr(part.size());
}

/// Length of the number of up to four digits that the text begins with; 0 when there is none.
std::size_t number_length(std::string_view text) {
  constexpr std::size_t kMostDigits = 4;
  std::size_t length = 0;
  while (length < std::min(text.size(), kMostDigits + 1) &&
         std::isdigit(static_cast<unsigned char>(text[length])) != 0)
    ++length;
  return length > kMostDigits ? 0 : length;
}

/// What the signs of a pattern stood for.
struct Match {
  std::string_view number;
  std::string_view rest;
};

std::optional<Match> match(std::string_view name, std::string_view pattern) {
  Match found;
  for (const char sign : pattern) {
    if (sign == '*') {
      if (name.empty()) return std::nullopt;
      found.rest = name;
      return found;
    }
    if (sign == '#') {
      const std::size_t length = number_length(name);
      if (length == 0) return std::nullopt;
      found.number = name.substr(0, length);
      name.remove_prefix(length);
    } else {
      if (name.empty() || name.front() != sign) return std::nullopt;
      name.remove_prefix(1);
    }
  }
  if (!name.empty()) return std::nullopt;
  return found;
}

std::string fill_in(std::string_view pattern, const Match& found) {
  std::string name;
  for (const char sign : pattern) {
    if (sign == '#') {
      name += found.number;
    } else if (sign == '*') {
      name += found.rest;
    } else {
      name += sign;
    }
  }
  return name;
}

/// blocks.2.13.norm1.weight -> blocks.13.norm1.weight: training of DINOv2 and DINOv3 keeps blocks in chunks,
/// and numbers them throughout.
std::string without_chunks(const std::string& name) {
  constexpr std::string_view kBlocks = "blocks.";
  std::size_t at = name.find(kBlocks);
  while (at != std::string::npos && at > 0 && name[at - 1] != '.') at = name.find(kBlocks, at + 1);
  if (at == std::string::npos) return name;
  const std::string_view rest = std::string_view(name).substr(at + kBlocks.size());
  const std::size_t chunk = number_length(rest);
  if (chunk == 0 || chunk >= rest.size() || rest[chunk] != '.') return name;
  const std::size_t block = number_length(rest.substr(chunk + 1));
  if (block == 0 || chunk + 1 + block >= rest.size() || rest[chunk + 1 + block] != '.') return name;
  return name.substr(0, at + kBlocks.size()) + std::string(rest.substr(chunk + 1));
}

/// Position of the first NaN or infinity among numbers whose bits are T, by their exponent; -1 when all are
/// finite.
template <typename T>
std::int64_t first_not_finite(std::span<const std::byte> bytes, T exponent) {
  constexpr std::size_t kChunk = 4096;
  const std::size_t count = bytes.size() / sizeof(T);
  for (std::size_t first = 0; first < count; first += kChunk) {
    const std::size_t end = std::min(count, first + kChunk);
    const auto at = [&](std::size_t i) {
      T bits;
      std::memcpy(&bits, bytes.data() + i * sizeof(T), sizeof(T));
      return static_cast<T>(bits & exponent);
    };
    T most = 0;
    for (std::size_t i = first; i < end; ++i) most = std::max(most, at(i));
    if (most != exponent) continue;
    for (std::size_t i = first; i < end; ++i)
      if (at(i) == exponent) return static_cast<std::int64_t>(i);
  }
  return -1;
}

void check_finite(const std::string& name, const StoredTensor& tensor) {
  std::int64_t place = -1;
  std::uint64_t bits = 0;
  std::uint64_t infinity = 0;
  switch (tensor.type) {
    case Dtype::kFloat64:
      infinity = 0x7FF0'0000'0000'0000;
      place = first_not_finite<std::uint64_t>(tensor.bytes, infinity);
      break;
    case Dtype::kFloat32:
      infinity = 0x7F80'0000;
      place = first_not_finite<std::uint32_t>(tensor.bytes, 0x7F80'0000);
      break;
    case Dtype::kFloat16:
      infinity = 0x7C00;
      place = first_not_finite<std::uint16_t>(tensor.bytes, 0x7C00);
      break;
    case Dtype::kBfloat16:
      infinity = 0x7F80;
      place = first_not_finite<std::uint16_t>(tensor.bytes, 0x7F80);
      break;
    default:
      return;
  }
  if (place < 0) return;
  const std::size_t size = element_size(tensor.type);
  std::memcpy(&bits, tensor.bytes.data() + static_cast<std::size_t>(place) * size, size);
  const std::uint64_t sign = std::uint64_t{1} << (8 * size - 1);
  fail_input("tensor " + in_quotes(name) + " holds " + ((bits & ~sign) == infinity ? "an infinity" : "NaN") +
             " (element " + std::to_string(place) +
             "): every embedding would be NaN; the file is damaged, or its " + "training had diverged");
}

/// A tensor of the same bytes in another shape.
StoredTensor reshaped(const StoredTensor& tensor, std::vector<std::int64_t> shape) {
  return {tensor.type, std::move(shape), tensor.bytes, tensor.owner};
}

StoredTensor of_bytes(Dtype type, std::vector<std::int64_t> shape,
                      std::span<const std::span<const std::byte>> pieces) {
  std::size_t size = 0;
  for (const auto& piece : pieces) size += piece.size();
  const auto owner = std::make_shared<std::vector<std::byte>>();
  owner->reserve(size);
  for (const auto& piece : pieces) owner->insert(owner->end(), piece.begin(), piece.end());
  return {type, std::move(shape), *owner, owner};
}

StoredTensor transposed(const StoredTensor& tensor, const std::string& name) {
  // Another number of dimensions does not fit any network either: whoever compares says so.
  if (tensor.shape.size() != 2 || tensor.bytes.empty()) return tensor;
  return copy_strided(tensor.bytes, tensor.type, {tensor.shape[1], tensor.shape[0]}, {1, tensor.shape[1]},
                      name);
}

StoredTensor after_zero_row(const StoredTensor& tensor) {
  if (tensor.shape.size() != 3 || tensor.shape[0] != 1 || tensor.shape[1] < 1 || tensor.bytes.empty())
    return tensor;
  const std::vector<std::byte> zeros(tensor.bytes.size() / static_cast<std::size_t>(tensor.shape[1]));
  const std::array<std::span<const std::byte>, 2> pieces = {zeros, tensor.bytes};
  return of_bytes(tensor.type, {1, tensor.shape[1] + 1, tensor.shape[2]}, pieces);
}

StoredTensor in_form(const StoredTensor& tensor, Form form, const std::string& name) {
  std::vector<std::int64_t> shape = tensor.shape;
  switch (form) {
    case Form::kTransposed:
      return transposed(tensor, name);
    case Form::kAfterZeroRow:
      return after_zero_row(tensor);
    case Form::kWithoutOnes:
      while (shape.size() > 1 && shape.front() == 1) shape.erase(shape.begin());
      return reshaped(tensor, std::move(shape));
    case Form::kWithOne:
      shape.insert(shape.begin(), 1);
      return reshaped(tensor, std::move(shape));
    case Form::kAsIs:
    case Form::kZeros:
    case Form::kLeftOut:
      break;
  }
  return tensor;
}

/// A tensor that is made of several, from their first dimension's parts.
struct Stack {
  struct Part {
    std::string name;  ///< In the file; empty where it is missing.
    StoredTensor tensor;
  };
  std::vector<Part> parts;
  bool sparse = false;

  /// The first part that is there.
  const Part& first() const {
    return *std::find_if(parts.begin(), parts.end(), [](const Part& p) { return !p.name.empty(); });
  }

  StoredTensor join(const std::string& target) const {
    const Part& model = this->first();
    const StoredTensor& first = model.tensor;
    std::vector<std::int64_t> shape = first.shape;
    if (shape.empty())
      fail_input("tensor " + in_quotes(model.name) + " is a single number and no part of " + target);
    shape[0] = 0;
    const std::vector<std::byte> zeros(sparse ? first.bytes.size() : 0);
    std::vector<std::span<const std::byte>> pieces;
    for (const Part& part : parts) {
      if (part.name.empty()) {
        if (!sparse)
          fail_input("beside tensor " + in_quotes(model.name) + " others are missing: it is one of " +
                     std::to_string(parts.size()) + " parts of " + target);
        pieces.emplace_back(zeros);
        shape[0] += first.shape[0];
        continue;
      }
      const StoredTensor& tensor = part.tensor;
      if (tensor.type != first.type || tensor.shape.size() != shape.size() ||
          !std::equal(shape.begin() + 1, shape.end(), tensor.shape.begin() + 1))
        fail_input("tensors " + in_quotes(model.name) + " and " + in_quotes(part.name) +
                   ", which belong together, are of different types or lengths of rows");
      pieces.emplace_back(tensor.bytes);
      shape[0] += tensor.shape[0];
    }
    return of_bytes(first.type, std::move(shape), pieces);
  }
};

/// A naming that a file is in, and what stands before its names there.
struct Found {
  const Naming* naming = nullptr;
  std::string prefix;
};

bool is_known_prefix(std::string_view prefix) {
  while (!prefix.empty()) {
    const std::size_t dot = prefix.find('.');
    const auto words = known_prefix_words();
    if (std::find(words.begin(), words.end(), prefix.substr(0, dot)) == words.end()) return false;
    prefix.remove_prefix(dot + 1);
  }
  return true;
}

/// Every naming of the family that the names are in, one for each prefix.
std::vector<Found> find_namings(const StoredTensors& tensors, NameFamily family) {
  constexpr std::size_t kMost = 100;  // A hostile file may have as many as names.
  std::vector<Found> found;
  for (const Naming& naming : namings_of(family)) {
    for (const auto& [name, tensor] : tensors) {
      if (!name.ends_with(naming.anchor) || found.size() == kMost) continue;
      std::string prefix = name.substr(0, name.size() - naming.anchor.size());
      if (!prefix.empty() && prefix.back() != '.') continue;
      if (!naming.also.empty() && !tensors.contains(prefix + std::string(naming.also))) continue;
      if (std::none_of(found.begin(), found.end(), [&](const Found& f) { return f.prefix == prefix; }))
        found.push_back({&naming, std::move(prefix)});
    }
  }
  return found;
}

StoredTensors with_flat_blocks(const StoredTensors& tensors) {
  StoredTensors flat;
  for (const auto& [name, tensor] : tensors) {
    const std::string renamed = without_chunks(name);
    if (!flat.emplace(renamed, tensor).second) fail_input("two tensors are named " + in_quotes(renamed));
  }
  return flat;
}

std::string first_word(std::string_view name) {
  return std::string(name.substr(0, name.find('.')));
}

constexpr std::array<NameFamily, 4> kFamilies = {NameFamily::kClip, NameFamily::kDinoV2, NameFamily::kDinoV3,
                                                 NameFamily::kSigLip};

/// Why no naming is known, and what would be.
std::string advise(const StoredTensors& tensors, NameFamily family, const std::vector<Found>& unknown) {
  std::string text;
  if (!unknown.empty()) {
    text = "the names are those of " + std::string(unknown.front().naming->whose) + " behind the prefix " +
           in_quotes(unknown.front().prefix) + ", which is not known; known are prefixes of the words";
    for (const std::string_view word : known_prefix_words()) text += " " + std::string(word) + ".";
    return text + "; save the image encoder's own state_dict()";
  }
  for (const NameFamily other : kFamilies) {
    if (other == family) continue;
    const std::vector<Found> found = find_namings(tensors, other);
    if (!found.empty())
      text += "the names are those of " + std::string(family_name(other)) + ", as " +
              std::string(found.front().naming->whose) + " gives them: choose an encoder of that family\n  ";
  }
  text += "names of " + std::string(family_name(family)) + " are known as given by ";
  bool first = true;
  for (const Naming& naming : namings_of(family)) {
    text += (first ? "" : ", or by ") + std::string(naming.whose) + " (" + std::string(naming.anchor) + ")";
    first = false;
  }
  return text;
}

/// Applies the rules of a naming to one file.
class Renamer {
 public:
  Renamer(const StoredTensors& tensors, const Found& found) : tensors_(tensors), found_(found) {
    result_.naming = found.naming->whose;
    result_.prefix = found.prefix;
    result_.own_names = found.naming->own;
  }

  NamedWeights run() {
    for (const auto& [name, tensor] : tensors_) take(name, tensor);
    for (const auto& [target, stack] : stacks_) add(target, stack.join(target), stack.first().name);
    return std::move(result_);
  }

 private:
  void take(const std::string& name, const StoredTensor& tensor) {
    const auto rest = after(name, found_.prefix);
    if (!rest) {
      ++result_.left_out[first_word(name)];
      return;
    }
    const std::string_view inner = after(*rest, found_.naming->optional).value_or(*rest);
    for (const NameRule& rule : found_.naming->rules) {
      const auto matched = match(inner, rule.from);
      if (matched && holds(rule, *matched)) return apply(rule, *matched, name, tensor);
    }
    check_finite(name, tensor);
    add(std::string(*rest), tensor, name);
  }

  const StoredTensor* find(const std::string& name) const {
    const auto plain = tensors_.find(found_.prefix + name);
    if (plain != tensors_.end()) return &plain->second;
    const auto inner = tensors_.find(found_.prefix + std::string(found_.naming->optional) + name);
    return inner == tensors_.end() ? nullptr : &inner->second;
  }

  bool holds(const NameRule& rule, const Match& matched) const {
    if (!rule.beside.empty()) return find(fill_in(rule.beside, matched)) != nullptr;
    if (!rule.packed) return true;
    const StoredTensor* const expand = find(fill_in("blocks.#.mlp.fc1.weight", matched));
    const StoredTensor* const contract = find(fill_in("blocks.#.mlp.fc2.weight", matched));
    return expand != nullptr && contract != nullptr && expand->shape.size() == 2 &&
           contract->shape.size() == 2 && expand->shape[0] % 2 == 0 &&
           expand->shape[0] / 2 == contract->shape[1];
  }

  void apply(const NameRule& rule, const Match& matched, const std::string& name,
             const StoredTensor& tensor) {
    if (rule.form == Form::kZeros &&
        std::any_of(tensor.bytes.begin(), tensor.bytes.end(), [](std::byte b) { return b != std::byte{0}; }))
      fail_input("tensor " + in_quotes(name) + " is not zero: no encoder here adds it");
    if (rule.form == Form::kZeros || rule.form == Form::kLeftOut) {
      ++result_.left_out[first_word(*after(name, found_.prefix))];
      return;
    }
    check_finite(name, tensor);
    const std::string target = fill_in(rule.to, matched);
    if (rule.parts == 1) return add(target, in_form(tensor, rule.form, name), name);
    Stack& stack = stacks_[target];
    stack.parts.resize(static_cast<std::size_t>(rule.parts));
    stack.sparse = rule.sparse;
    Stack::Part& part = stack.parts[static_cast<std::size_t>(rule.part)];
    if (!part.name.empty()) collide(target, part.name, name);
    part = {name, tensor};
  }

  void add(const std::string& target, StoredTensor tensor, const std::string& name) {
    const auto [at, added] = origins_.emplace(target, name);
    if (!added) collide(target, at->second, name);
    result_.tensors.emplace(target, std::move(tensor));
  }

  [[noreturn]] static void collide(const std::string& target, const std::string& one,
                                   const std::string& other) {
    fail_input("tensors " + in_quotes(one) + " and " + in_quotes(other) + " would both be " +
               in_quotes(target));
  }

  const StoredTensors& tensors_;
  const Found& found_;
  NamedWeights result_;
  std::map<std::string, Stack> stacks_;
  std::map<std::string, std::string> origins_;  ///< Name in the file, by the new name.
};

}  // namespace

StoredTensors unwrap_names(StoredTensors tensors) {
  static constexpr auto kWrappers = std::to_array<std::string_view>(
      {"module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_forward_module."});
  StoredTensors result;
  for (auto& [name, tensor] : tensors) {
    std::string bare;
    std::string_view rest = name;
    while (!rest.empty()) {
      const auto wrapper = std::find_if(kWrappers.begin(), kWrappers.end(),
                                        [&](std::string_view word) { return rest.starts_with(word); });
      if (wrapper != kWrappers.end()) {
        rest.remove_prefix(wrapper->size());
        continue;
      }
      const std::size_t end = std::min(rest.find('.'), rest.size() - 1) + 1;
      bare += rest.substr(0, end);
      rest.remove_prefix(end);
    }
    if (!result.emplace(bare, std::move(tensor)).second)
      fail_input("two tensors are named " + in_quotes(bare) +
                 " without what wrappers add to names, such as \"module.\"");
  }
  return result;
}

NamedWeights rename_weights(const StoredTensors& tensors, NameFamily family) {
  const bool chunked = family == NameFamily::kDinoV2 || family == NameFamily::kDinoV3;
  const StoredTensors flat = chunked ? with_flat_blocks(tensors) : tensors;
  std::vector<Found> known;
  std::vector<Found> unknown;
  for (Found& found : find_namings(flat, family))
    (is_known_prefix(found.prefix) ? known : unknown).push_back(std::move(found));
  if (known.size() > 1) {
    std::string list;
    for (const Found& found : known) list += (list.empty() ? "" : ", ") + in_quotes(found.prefix);
    fail_input("it holds " + std::to_string(known.size()) + " image encoders, behind the prefixes " + list +
               ": save the one to use by itself");
  }
  if (known.empty()) {
    NamedWeights result;
    result.tensors = tensors;
    result.advice = advise(flat, family, unknown);
    return result;
  }
  return Renamer(flat, known.front()).run();
}

}  // namespace quasar::checkpoint
