#include "comm/dispatch_message.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace quasar::comm {
namespace {

/// Appends values to bytes; both sides are the same program on the same kind of machine.
class Writer {
 public:
  template <typename T>
  requires std::is_trivially_copyable_v<T> Writer& add(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& add_text(std::string_view text) {
    const auto size = static_cast<std::uint32_t>(std::min(text.size(), kMostTextBytes));
    add(size);
    bytes_.append(text.substr(0, size));
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void get(T& value) { std::memcpy(&value, cut(sizeof value).data(), sizeof value); }
  void get_text(std::string& text) {
    std::uint32_t size = 0;
    get(size);
    text = cut(size);
  }
  void end() const {
    if (!bytes_.empty()) base::fail(base::ExitCode::kInternal, "a message between ranks is too long");
  }

 private:
  std::string_view cut(std::size_t size) {
    if (size > bytes_.size()) base::fail(base::ExitCode::kInternal, "a message between ranks is cut off");
    const auto part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }

  std::string_view bytes_;
};

}  // namespace

std::string to_bytes(const Call& call) {
  return Writer()
      .add(call.kind)
      .add(call.id)
      .add(call.pass)
      .add(call.shards)
      .add(call.rows)
      .add(call.activity)
      .add(call.waiting)
      .add(call.stop)
      .add(call.outcome.code)
      .add_text(call.outcome.message)
      .add_text(call.phase)
      .take();
}

std::string to_bytes(const Reply& reply) {
  return Writer()
      .add(reply.id)
      .add(reply.shard)
      .add(reply.stop)
      .add(reply.outcome.code)
      .add_text(reply.outcome.message)
      .take();
}

Call call_from_bytes(std::string_view bytes) {
  Reader reader(bytes);
  Call call;
  reader.get(call.kind);
  reader.get(call.id);
  reader.get(call.pass);
  reader.get(call.shards);
  reader.get(call.rows);
  reader.get(call.activity);
  reader.get(call.waiting);
  reader.get(call.stop);
  reader.get(call.outcome.code);
  reader.get_text(call.outcome.message);
  reader.get_text(call.phase);
  reader.end();
  return call;
}

Reply reply_from_bytes(std::string_view bytes) {
  Reader reader(bytes);
  Reply reply;
  reader.get(reply.id);
  reader.get(reply.shard);
  reader.get(reply.stop);
  reader.get(reply.outcome.code);
  reader.get_text(reply.outcome.message);
  reader.end();
  return reply;
}

}  // namespace quasar::comm
