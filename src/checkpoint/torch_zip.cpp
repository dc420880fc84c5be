#include "checkpoint/torch_zip.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/utf8.h"
#include "checkpoint/input_errors.h"
#include "checkpoint/pickle.h"
#include "checkpoint/stored_tensor.h"
#include "checkpoint/zip_archive.h"

namespace quasar::checkpoint {
namespace {

constexpr int kMostDepth = 64;
constexpr std::size_t kMostAttributes = 1'000'000;
constexpr std::size_t kMostName = 4096;
constexpr std::int64_t kMostInteger = std::numeric_limits<std::int64_t>::max();

struct StorageType {
  std::string_view name;
  Dtype type;
};
constexpr std::array<StorageType, 10> kStorageTypes = {{{"torch.BFloat16Storage", Dtype::kBfloat16},
                                                        {"torch.BoolStorage", Dtype::kBool},
                                                        {"torch.ByteStorage", Dtype::kUint8},
                                                        {"torch.CharStorage", Dtype::kInt8},
                                                        {"torch.DoubleStorage", Dtype::kFloat64},
                                                        {"torch.FloatStorage", Dtype::kFloat32},
                                                        {"torch.HalfStorage", Dtype::kFloat16},
                                                        {"torch.IntStorage", Dtype::kInt32},
                                                        {"torch.LongStorage", Dtype::kInt64},
                                                        {"torch.ShortStorage", Dtype::kInt16}}};

struct Storage {
  Dtype type = Dtype::kFloat32;
  std::span<const std::byte> bytes;
  std::int64_t count = 0;
};

bool is_call(const PickleNode& node, std::string_view name) {
  return node.kind == PickleKind::kCall && node.items[0]->text == name;
}

bool is_tensor(const PickleNode& node) {
  return is_call(node, "torch._utils._rebuild_tensor_v2") || is_call(node, "torch._utils._rebuild_parameter");
}

/// Last value of a text key, as a Python dict would have it.
const PickleNode* find(const PickleNode& dict, std::string_view key) {
  const PickleNode* found = nullptr;
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i]->kind == PickleKind::kText && dict.items[i]->text == key) found = dict.items[i + 1];
  }
  return found;
}

/// Turns nodes into tensors over the archive's storages.
class TensorBuilder {
 public:
  TensorBuilder(const ZipArchive& archive, std::string prefix, std::size_t file_size,
                std::shared_ptr<const void> owner)
      : archive_(archive),
        prefix_(std::move(prefix)),
        owner_(std::move(owner)),
        work_left_(std::max<std::uint64_t>(4 * std::uint64_t{file_size}, std::uint64_t{1} << 24U)) {}

  StoredTensor build(const PickleNode& node, const std::string& name) {
    const PickleNode* call = &node;
    if (is_call(*call, "torch._utils._rebuild_parameter")) {
      const auto& arguments = call->items[1]->items;
      if (arguments.empty()) fail(name, "a parameter without its tensor");
      call = arguments[0];
    }
    if (!is_call(*call, "torch._utils._rebuild_tensor_v2"))
      fail(name, "a parameter of something that is no tensor");
    const auto& arguments = call->items[1]->items;
    if (arguments.size() < 6 || arguments.size() > 7) fail(name, "a tensor of other than 6 or 7 arguments");
    // The seventh holds lazy conjugation and negation, which no weights have.
    if (arguments.size() == 7 && !arguments[6]->items.empty())
      fail(name, "lazy operations on it, which are unsupported");
    const Storage& storage = find_storage(*arguments[0], name);
    return view(storage, integer(*arguments[1], name), integers(*arguments[2], name),
                integers(*arguments[3], name), name);
  }

 private:
  [[noreturn]] static void fail(const std::string& name, const std::string& what) {
    fail_input("tensor \"" + base::printable(name) + "\": " + what);
  }

  static std::int64_t integer(const PickleNode& node, const std::string& name) {
    if (node.kind != PickleKind::kInteger) fail(name, "something else where a whole number belongs");
    if (node.integer < 0) fail(name, "a negative size, stride or offset");
    return node.integer;
  }

  static std::vector<std::int64_t> integers(const PickleNode& node, const std::string& name) {
    const PickleNode* tuple = &node;
    if (is_call(node, "torch.Size") && node.items[1]->items.size() == 1) tuple = node.items[1]->items[0];
    if (tuple->kind != PickleKind::kTuple)
      fail(name, "something else where a tuple of sizes or strides belongs");
    if (tuple->items.size() > kMostDimensions) fail(name, "too many dimensions");
    std::vector<std::int64_t> result;
    for (const PickleNode* item : tuple->items) result.push_back(integer(*item, name));
    return result;
  }

  const Storage& find_storage(const PickleNode& node, const std::string& name) {
    if (node.kind != PickleKind::kPersistent || node.items[0]->kind != PickleKind::kTuple)
      fail(name, "no storage");
    const auto& id = node.items[0]->items;
    if (id.size() != 5 || id[0]->text != "storage" || id[1]->kind != PickleKind::kName ||
        id[2]->kind != PickleKind::kText || id[3]->kind != PickleKind::kText) {
      fail(name, "a storage that is not described as torch does it");
    }
    const auto* known = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                     [&](const StorageType& type) { return type.name == id[1]->text; });
    if (known == kStorageTypes.end()) fail(name, "\"" + base::printable(id[1]->text) + "\" is no storage");
    const std::int64_t count = integer(*id[4], name);
    const auto cached = storages_.find(id[2]->text);
    if (cached == storages_.end()) {
      Storage storage{known->type, archive_.read(prefix_ + "data/" + id[2]->text), count};
      const std::uint64_t element = element_size(storage.type);
      if (storage.bytes.size() % element != 0 ||
          storage.bytes.size() / element != static_cast<std::uint64_t>(count)) {
        fail(name, "its storage claims " + std::to_string(count) + " elements of " + std::to_string(element) +
                       " bytes but the archive holds " + std::to_string(storage.bytes.size()) + " bytes");
      }
      return storages_.emplace(id[2]->text, storage).first->second;
    }
    if (cached->second.type != known->type || cached->second.count != count) {
      fail(name, "its storage is described in two ways");
    }
    return cached->second;
  }

  StoredTensor view(const Storage& storage, std::int64_t offset, const std::vector<std::int64_t>& sizes,
                    const std::vector<std::int64_t>& strides, const std::string& name) {
    if (sizes.size() != strides.size()) fail(name, "sizes and strides of different lengths");
    if (offset > storage.count) fail(name, "it begins outside its storage");
    std::int64_t count = 1;  // Empty dimensions counted as 1, so that strides made of them stay sound.
    std::int64_t reach = 1;  // Elements from the first to the last, both included.
    bool empty = false;
    bool contiguous = true;
    for (std::size_t i = sizes.size(); i-- > 0;) {
      empty = empty || sizes[i] == 0;
      const std::int64_t size = std::max<std::int64_t>(sizes[i], 1);
      contiguous = contiguous && (size == 1 || strides[i] == count);
      if (count > kMostInteger / 16 / size) fail(name, "a shape too large to exist");
      count *= size;
      if (size > 1 && strides[i] > (kMostInteger - reach) / (size - 1))
        fail(name, "it reaches outside its storage");
      reach += (size - 1) * strides[i];
    }
    if (empty) return {storage.type, sizes, {}, nullptr};
    if (reach > storage.count - offset) {
      fail(name, "it reaches outside its storage: element " + std::to_string(reach) + " after offset " +
                     std::to_string(offset) + " of " + std::to_string(storage.count));
    }
    const std::uint64_t element = element_size(storage.type);
    const std::span<const std::byte> bytes = storage.bytes.subspan(
        static_cast<std::uint64_t>(offset) * element, static_cast<std::uint64_t>(reach) * element);
    std::uint64_t cost = contiguous ? 0 : static_cast<std::uint64_t>(count) * element;
    if (storage.type == Dtype::kBool || !is_aligned(bytes, storage.type)) cost += bytes.size();
    // Many views of one storage, or strides of 0, could ask for far more memory or time than the file has
    // bytes.
    if (cost > work_left_)
      fail(name, "views that together are far larger than the file; save contiguous tensors");
    work_left_ -= cost;
    if (contiguous) return tensor_over(bytes, storage.type, sizes, owner_, name);
    return copy_strided(bytes, storage.type, sizes, strides, name);
  }

  const ZipArchive& archive_;
  std::string prefix_;
  std::shared_ptr<const void> owner_;
  std::uint64_t work_left_;  ///< Bytes that may still be copied or scanned.
  std::map<std::string, Storage> storages_;
};

void add(StoredTensors& tensors, std::string name, StoredTensor tensor) {
  if (tensors.size() == kMostTensors) fail_input("more tensors than weights have");
  const std::string shown = base::printable(name);
  if (!tensors.emplace(std::move(name), std::move(tensor)).second)
    fail_input("two tensors are named \"" + shown + "\"");
}

bool holds_tensors(const PickleNode& dict) {
  for (std::size_t i = 1; i < dict.items.size(); i += 2) {
    if (is_tensor(*dict.items[i])) return true;
  }
  return false;
}

/// The dict of tensors: the root itself, or what lies, perhaps twice nested, under one of the keys that tools
/// of training use. Of DINO's two networks it is the teacher that they evaluate.
const PickleNode& find_state_dict(const PickleNode& root) {
  if (root.kind != PickleKind::kDict)
    fail_input("it holds no dict of tensors; save the model's state_dict()");
  const PickleNode* dict = &root;
  for (int depth = 0; depth < 4; ++depth) {
    const PickleNode* inner = nullptr;
    for (const char* key : {"state_dict", "model", "teacher", "model_state_dict", "module"}) {
      if (inner == nullptr || inner->kind != PickleKind::kDict) inner = find(*dict, key);
    }
    // Training files may have lone tensors beside the weights.
    if (inner == nullptr || inner->kind != PickleKind::kDict) break;
    dict = inner;
  }
  if (!holds_tensors(*dict)) {
    fail_input(
        "it holds no tensors, neither by name nor under \"state_dict\", \"model\", \"teacher\", "
        "\"model_state_dict\" or \"module\"");
  }
  return *dict;
}

void read_state_dict(const PickleNode& root, TensorBuilder& builder, StoredTensors& tensors) {
  const PickleNode* dict = &find_state_dict(root);
  for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    if (!is_tensor(*dict->items[i + 1])) continue;
    const PickleNode& key = *dict->items[i];
    if (key.kind != PickleKind::kText) fail_input("a tensor whose name is no text");
    add(tensors, key.text, builder.build(*dict->items[i + 1], key.text));
  }
}

/// Walks a tree of TorchScript modules. Modules may be shared, which multiplies paths: hence the limits.
class ModuleWalker {
 public:
  ModuleWalker(TensorBuilder& builder, StoredTensors& tensors) : builder_(builder), tensors_(tensors) {}

  void walk(const PickleNode& module, const std::string& prefix, int depth) {
    if (depth == kMostDepth) fail_input("modules nested deeper than " + std::to_string(kMostDepth));
    if (module.items.size() != 3 || module.items[2]->kind != PickleKind::kDict)
      return;  // Nothing we could take.
    if (prefix.size() > kMostName) fail_input("names longer than " + std::to_string(kMostName) + " bytes");
    const auto& state = module.items[2]->items;
    attributes_ += 1 + state.size();
    if (attributes_ > kMostAttributes) fail_input("more modules than weights have");
    for (std::size_t i = 0; i + 1 < state.size(); i += 2) {
      const PickleNode& value = *state[i + 1];
      if (state[i]->kind != PickleKind::kText) fail_input("an attribute whose name is no text");
      if (is_tensor(value)) {
        const std::string name = prefix + state[i]->text;
        add(tensors_, name, builder_.build(value, name));
      } else if (value.kind == PickleKind::kObject) {
        walk(value, prefix + state[i]->text + ".", depth + 1);
      }
    }
  }

 private:
  TensorBuilder& builder_;
  StoredTensors& tensors_;
  std::size_t attributes_ = 0;
};

/// "NAME/" where NAME/data.pkl is the archive's pickle.
std::string find_prefix(const ZipArchive& archive) {
  constexpr std::string_view kPickle = "/data.pkl";
  for (const auto& [name, entry] : archive.entries()) {
    if (name.ends_with(kPickle) && name.find('/') == name.size() - kPickle.size()) {
      return name.substr(0, name.size() - kPickle.size() + 1);
    }
  }
  fail_input("a zip archive without data.pkl: neither torch.save nor TorchScript wrote it");
}

}  // namespace

bool looks_like_legacy_torch(std::span<const std::byte> file) {
  // A pickle of the number 0x1950a86a20f9469cfc6c, torch's magic.
  constexpr std::array<unsigned char, 14> kMagic = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                                    0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  return file.size() >= kMagic.size() &&
         std::equal(kMagic.begin(), kMagic.end(), file.begin(),
                    [](unsigned char a, std::byte b) { return a == std::to_integer<unsigned char>(b); });
}

void read_torch_zip(std::span<const std::byte> file, const std::shared_ptr<const void>& owner,
                    WeightsFile& weights) {
  const ZipArchive archive(file);
  const std::string prefix = find_prefix(archive);
  if (archive.contains(prefix + "byteorder")) {
    const auto order = archive.read(prefix + "byteorder");
    if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little") {
      fail_input("its numbers are big-endian; load and save it with torch on a little-endian machine");
    }
  }
  const bool script = archive.contains(prefix + "constants.pkl");
  weights.container = script ? "TorchScript" : "torch.save zip";
  const Pickle pickle(archive.read(prefix + "data.pkl"));
  TensorBuilder builder(archive, prefix, file.size(), owner);
  if (!script) {
    read_state_dict(pickle.root(), builder, weights.tensors);
  } else if (pickle.root().kind == PickleKind::kObject) {
    ModuleWalker(builder, weights.tensors).walk(pickle.root(), "", 0);
  } else {
    fail_input("a TorchScript archive whose root is no module");
  }
  if (weights.tensors.empty()) fail_input("it holds no tensors");
}

}  // namespace quasar::checkpoint
