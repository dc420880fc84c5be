#include "comm/dispatch_message.h"

#include <algorithm>
#include <string_view>
#include <type_traits>

#include "base/packer.h"
#include "base/unpacker.h"

namespace quasar::comm {
namespace {

/// Appends values to bytes; both sides are the same program on the same kind of machine.
class Writer {
 public:
  template <typename T>
  requires std::is_trivially_copyable_v<T> Writer& add(const T& value) {
    base::pack(value, bytes_);
    return *this;
  }
  Writer& add_text(std::string_view text) {
    base::pack_text(text.substr(0, kMostTextBytes), bytes_);
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

using base::Unpacker;

constexpr std::string_view kWhat = "a message between ranks";

template <typename T>
void get(Unpacker& unpacker, T& value) {
  value = unpacker.take<T>();
}

void check_end(const Unpacker& unpacker) {
  if (!unpacker.done()) base::fail(base::ExitCode::kInternal, std::string(kWhat) + " is too long");
}

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
  Unpacker reader(bytes, kWhat);
  Call call;
  get(reader, call.kind);
  get(reader, call.id);
  get(reader, call.pass);
  get(reader, call.shards);
  get(reader, call.rows);
  get(reader, call.activity);
  get(reader, call.waiting);
  get(reader, call.stop);
  get(reader, call.outcome.code);
  call.outcome.message = reader.take_text();
  call.phase = reader.take_text();
  check_end(reader);
  return call;
}

Reply reply_from_bytes(std::string_view bytes) {
  Unpacker reader(bytes, kWhat);
  Reply reply;
  get(reader, reply.id);
  get(reader, reply.shard);
  get(reader, reply.stop);
  get(reader, reply.outcome.code);
  reply.outcome.message = reader.take_text();
  check_end(reader);
  return reply;
}

}  // namespace quasar::comm
