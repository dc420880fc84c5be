#include "decode/channel.h"

#include <sys/socket.h>

#include <cerrno>

namespace quasar::decode {

bool send_bytes(int socket, std::span<const std::byte> bytes) {
  ssize_t sent = 0;
  do {
    sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(bytes.size());
}

std::optional<Received> receive(int socket) {
  Received received;
  ssize_t size = 0;
  do {
    size = ::recv(socket, received.bytes.data(), received.bytes.size(), MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return std::nullopt;
  received.size = static_cast<std::size_t>(size);
  return received;
}

}  // namespace quasar::decode
