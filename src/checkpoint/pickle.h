// Internal to the module: what a pickle describes, as data. Nothing that a pickle asks for is imported or
// called.
//
// Python's pickle is a program for a stack machine. This reader knows the opcodes that torch.save (protocols
// 2 to 5) and TorchScript write for plain data, and a short list of names; calls and objects become nodes
// that say what was asked for. Everything else is refused by name.
//
// By hand, because a library's unpickler does what the file asks for, and no library keeps it as data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::checkpoint {

enum class PickleKind {
  kNone,
  kBool,        ///< `integer` is 0 or 1.
  kInteger,     ///< `integer`.
  kReal,        ///< `real`.
  kText,        ///< `text`, UTF-8 or raw bytes.
  kTuple,       ///< `items`.
  kList,        ///< `items`.
  kDict,        ///< `items`: key, value, key, value, ...; keys may repeat.
  kName,        ///< `text`: "module.name" of an allowed class or function.
  kCall,        ///< `items`: the kName that would be called and the tuple of its arguments.
  kObject,      ///< `items`: the kName of the class, its arguments, and the state if any was given.
  kPersistent,  ///< `items`: the identifier of something kept outside the pickle (a storage).
};

struct PickleNode {
  PickleKind kind = PickleKind::kNone;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<const PickleNode*> items;
};

/// A parsed pickle. Nodes may be shared and may form cycles: walk with limits.
class Pickle {
 public:
  /// Throws Error(kInput) naming the byte, for anything malformed, unknown, too large or not allowed.
  explicit Pickle(std::span<const std::byte> bytes);
  const PickleNode& root() const { return *root_; }

 private:
  friend class Unpickler;
  std::deque<PickleNode> nodes_;  ///< Owned flat: however deep the nesting, nothing recurses.
  const PickleNode* root_ = nullptr;
};

/// Whether a pickle may name this: see the list in pickle.cpp.
bool pickle_name_allowed(std::string_view name);

}  // namespace quasar::checkpoint
