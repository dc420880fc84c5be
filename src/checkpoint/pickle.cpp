#include "checkpoint/pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <unordered_map>

#include "base/errors.h"
#include "base/unpacker.h"
#include "base/utf8.h"

namespace quasar::checkpoint {
namespace {

// The pickle of the largest published checkpoint is below 1 MiB.
constexpr std::size_t kMostBytes = std::size_t{32} << 20U;
constexpr std::size_t kMostNodes = 2'000'000;
constexpr std::size_t kMostStack = 1'000'000;

/// Sorted, for the search. Classes of TorchScript archives ("__torch__.") are allowed besides.
constexpr std::array<std::string_view, 37> kAllowed = {
    "collections.OrderedDict",
    "torch.BFloat16Storage",
    "torch.BoolStorage",
    "torch.ByteStorage",
    "torch.CharStorage",
    "torch.DoubleStorage",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.IntStorage",
    "torch.LongStorage",
    "torch.ShortStorage",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor_v2",
    "torch.bfloat16",
    "torch.bool",
    "torch.device",
    "torch.double",
    "torch.float",
    "torch.float16",
    "torch.float32",
    "torch.float64",
    "torch.half",
    "torch.int",
    "torch.int16",
    "torch.int32",
    "torch.int64",
    "torch.int8",
    "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.build_doublelist",
    "torch.jit._pickle.build_intlist",
    "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.restore_type_tag",
    "torch.long",
    "torch.short",
    "torch.strided",
    "torch.uint8",
};
static_assert(std::is_sorted(kAllowed.begin(), kAllowed.end()));

constexpr std::string_view kScriptClasses = "__torch__.";

/// Opcodes, by their names in Python's pickletools.
enum Opcode : unsigned char {
  kMark = '(',
  kStop = '.',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNoneOp = 'N',
  kBinPersid = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyList = ']',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kBinFloat = 'G',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

}  // namespace

bool pickle_name_allowed(std::string_view name) {
  return name.starts_with(kScriptClasses) || std::binary_search(kAllowed.begin(), kAllowed.end(), name);
}

/// The stack machine.
class Unpickler {
 public:
  Unpickler(std::span<const std::byte> bytes, Pickle& pickle) : bytes_(bytes), pickle_(pickle) {}

  void run() {
    if (bytes_.size() > kMostBytes)
      fail("it has " + std::to_string(bytes_.size()) + " bytes, more than weights need");
    if (take<unsigned char>() != kProto) fail("it does not begin as a pickle of protocol 2 or later");
    if (const auto protocol = take<unsigned char>(); protocol < 2 || protocol > 5) {
      fail("pickle protocol " + std::to_string(protocol) + " is unknown");
    }
    while (pickle_.root_ == nullptr) step();
    if (position_ != bytes_.size()) fail("bytes after the end of the pickle");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    base::fail(base::ExitCode::kInput, "pickle byte " + std::to_string(position_) + ": " + what);
  }

  template <typename T>
  T take() {
    if (bytes_.size() - position_ < sizeof(T)) fail("it breaks off");
    const T value = base::load<T>(bytes_, position_);
    position_ += sizeof(T);
    return value;
  }

  std::string_view take_text(std::uint64_t size) {
    if (bytes_.size() - position_ < size) fail("a text of " + std::to_string(size) + " bytes breaks off");
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_, size);
    position_ += size;
    return text;
  }

  std::string_view take_line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + position_,
                                bytes_.size() - position_);
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) fail("a name breaks off");
    position_ += end + 1;
    return rest.substr(0, end);
  }

  PickleNode& make(PickleKind kind) {
    if (pickle_.nodes_.size() == kMostNodes) fail("it describes more than weights need");
    PickleNode& node = pickle_.nodes_.emplace_back();
    node.kind = kind;
    return node;
  }

  void push(PickleNode& node) {
    if (stack_.size() == kMostStack) fail("its stack is too deep");
    stack_.push_back(&node);
  }

  /// Number of values above the last mark.
  std::size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  PickleNode& top() {
    if (available() == 0) fail("it takes from an empty stack");
    return *stack_.back();
  }

  PickleNode& pop() {
    PickleNode& node = top();
    stack_.pop_back();
    return node;
  }

  std::vector<const PickleNode*> pop_to_mark() {
    if (marks_.empty()) fail("a mark is missing");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleNode*> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  void push_integer(PickleKind kind, std::int64_t value) {
    PickleNode& node = make(kind);
    node.integer = value;
    push(node);
  }

  void push_text(std::string_view text) {
    PickleNode& node = make(PickleKind::kText);
    node.text = text;
    push(node);
  }

  void push_tuple(std::size_t count) {
    if (available() < count) fail("it takes from an empty stack");
    PickleNode& node = make(PickleKind::kTuple);
    node.items.assign(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    push(node);
  }

  void push_name(std::string_view module, std::string_view name) {
    std::string full = std::string(module) + "." + std::string(name);
    if (!pickle_name_allowed(full)) {
      fail("it asks for \"" + base::printable(full) +
           "\", which weights do not need and which is refused; save the model's state_dict() alone");
    }
    PickleNode& node = make(PickleKind::kName);
    node.text = std::move(full);
    push(node);
  }

  void push_long() {
    const auto size = take<unsigned char>();
    if (size > sizeof(std::int64_t)) fail("an integer beyond 64 bits");
    const std::string_view text = take_text(size);
    std::uint64_t value = 0;
    std::memcpy(&value, text.data(), size);
    const bool negative = size > 0 && (static_cast<unsigned char>(text[size - 1U]) & 0x80U) != 0;
    if (negative && size < sizeof value) value |= ~std::uint64_t{0} << (8U * size);
    push_integer(PickleKind::kInteger, static_cast<std::int64_t>(value));
  }

  void push_real() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8U | take<unsigned char>();
    PickleNode& node = make(PickleKind::kReal);
    node.real = std::bit_cast<double>(value);
    push(node);
  }

  void get(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail("it refers to memo " + std::to_string(index) + ", which was never set");
    push(*found->second);
  }

  void put(std::uint64_t index) { memo_[index] = &top(); }

  void reduce() {
    const PickleNode& arguments = pop();
    const PickleNode& callee = pop();
    if (arguments.kind != PickleKind::kTuple || callee.kind != PickleKind::kName) {
      fail("a call of something that is no function, or without a tuple of arguments");
    }
    if (callee.text == "collections.OrderedDict") {
      if (!arguments.items.empty()) fail("an OrderedDict made with arguments");
      push(make(PickleKind::kDict));
      return;
    }
    if (callee.text.starts_with(kScriptClasses))
      fail("a call of the class \"" + base::printable(callee.text) + "\"");
    PickleNode& node = make(PickleKind::kCall);
    node.items = {&callee, &arguments};
    push(node);
  }

  void new_object() {
    const PickleNode& arguments = pop();
    const PickleNode& type = pop();
    if (type.kind != PickleKind::kName || !type.text.starts_with(kScriptClasses)) {
      fail("an object of something that is no TorchScript class");
    }
    PickleNode& node = make(PickleKind::kObject);
    node.items = {&type, &arguments};
    push(node);
  }

  void build() {
    const PickleNode& state = pop();
    PickleNode& node = top();
    // An OrderedDict's own state is the `_metadata` of a state_dict, which the weights do not need.
    if (node.kind == PickleKind::kDict) return;
    if (node.kind != PickleKind::kObject || node.items.size() != 2)
      fail("a state for something that takes none");
    node.items.push_back(&state);
  }

  void extend(PickleKind kind, const std::vector<const PickleNode*>& items) {
    PickleNode& node = top();
    if (node.kind != kind) fail(kind == PickleKind::kList ? "items for no list" : "items for no dict");
    if (kind == PickleKind::kDict && items.size() % 2 != 0) fail("a key without its value");
    node.items.insert(node.items.end(), items.begin(), items.end());
  }

  void step() {
    const auto opcode = take<unsigned char>();
    switch (opcode) {
      case kMark:
        if (marks_.size() == kMostStack) fail("its stack is too deep");
        return marks_.push_back(stack_.size());
      case kStop:
        if (stack_.size() != 1 || !marks_.empty()) fail("it ends with other than one value on the stack");
        pickle_.root_ = stack_.back();
        return;
      case kNoneOp:
        return push(make(PickleKind::kNone));
      case kNewTrue:
        return push_integer(PickleKind::kBool, 1);
      case kNewFalse:
        return push_integer(PickleKind::kBool, 0);
      case kBinInt:
        return push_integer(PickleKind::kInteger, take<std::int32_t>());
      case kBinInt1:
        return push_integer(PickleKind::kInteger, take<std::uint8_t>());
      case kBinInt2:
        return push_integer(PickleKind::kInteger, take<std::uint16_t>());
      case kLong1:
        return push_long();
      case kBinFloat:
        return push_real();
      case kBinUnicode:
      case kBinBytes:
        return push_text(take_text(take<std::uint32_t>()));
      case kShortBinUnicode:
      case kShortBinBytes:
        return push_text(take_text(take<std::uint8_t>()));
      case kBinUnicode8:
        return push_text(take_text(take<std::uint64_t>()));
      case kEmptyTuple:
        return push_tuple(0);
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return push_tuple(opcode - kTuple1 + 1U);
      case kTuple: {
        std::vector<const PickleNode*> items = pop_to_mark();
        PickleNode& node = make(PickleKind::kTuple);
        node.items = std::move(items);
        return push(node);
      }
      case kEmptyList:
        return push(make(PickleKind::kList));
      case kEmptyDict:
        return push(make(PickleKind::kDict));
      case kAppend: {
        const PickleNode& item = pop();
        return extend(PickleKind::kList, {&item});
      }
      case kAppends:
        return extend(PickleKind::kList, pop_to_mark());
      case kSetItem: {
        const PickleNode& value = pop();
        const PickleNode& key = pop();
        return extend(PickleKind::kDict, {&key, &value});
      }
      case kSetItems:
        return extend(PickleKind::kDict, pop_to_mark());
      case kGlobal: {
        const std::string_view module = take_line();
        return push_name(module, take_line());
      }
      case kStackGlobal: {
        const PickleNode& name = pop();
        const PickleNode& module = pop();
        if (name.kind != PickleKind::kText || module.kind != PickleKind::kText)
          fail("a name that is no text");
        return push_name(module.text, name.text);
      }
      case kReduce:
        return reduce();
      case kNewObj:
        return new_object();
      case kBuild:
        return build();
      case kBinPersid: {
        const PickleNode& id = pop();
        PickleNode& node = make(PickleKind::kPersistent);
        node.items = {&id};
        return push(node);
      }
      case kBinGet:
        return get(take<std::uint8_t>());
      case kLongBinGet:
        return get(take<std::uint32_t>());
      case kBinPut:
        return put(take<std::uint8_t>());
      case kLongBinPut:
        return put(take<std::uint32_t>());
      case kMemoize:
        return put(memo_.size());
      case kFrame:
        if (take<std::uint64_t>() > bytes_.size() - position_) fail("a frame breaks off");
        return;
      default:
        fail("opcode " + std::to_string(opcode) + " is not one that weights need, and is refused");
    }
  }

  std::span<const std::byte> bytes_;
  Pickle& pickle_;
  std::size_t position_ = 0;
  std::vector<PickleNode*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleNode*> memo_;
};

Pickle::Pickle(std::span<const std::byte> bytes) {
  Unpickler(bytes, *this).run();
}

}  // namespace quasar::checkpoint
