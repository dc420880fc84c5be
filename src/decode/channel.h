// Internal to the module: sending and receiving of messages over a socket that keeps their bounds.
#pragma once

#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include "decode/protocol.h"

namespace quasar::decode {

/// A message as it came, of whatever kind and size.
struct Received {
  std::array<std::byte, 2048> bytes;
  std::size_t size = 0;  ///< As sent; more than there is room for is no message of ours.

  /// The message of this type, if it is one.
  template <typename Message>
  std::optional<Message> as() const {
    Message message;
    const MessageKind expected = message.kind;
    if (size != sizeof message) return std::nullopt;
    std::memcpy(&message, bytes.data(), sizeof message);
    if (message.kind != expected) return std::nullopt;
    return message;
  }
};

/// False when the other end is gone.
bool send_bytes(int socket, std::span<const std::byte> bytes);

template <typename Message>
bool send(int socket, const Message& message) {
  static_assert(kTravels<Message> && sizeof message <= sizeof(Received::bytes));
  return send_bytes(socket, std::as_bytes(std::span(&message, 1)));
}

/// Waits for the next message; empty when the other end is gone.
std::optional<Received> receive(int socket);

}  // namespace quasar::decode
