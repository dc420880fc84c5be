// An archive from anywhere: listed without an exception, in order, in a number of steps bounded by its
// length; what read() gives has the stated size, and lies after a header whose checksum is right.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "corpus/path_text.h"
#include "corpus/sources/tar_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto archive = std::as_bytes(std::span(data, size));
  quasar::corpus::TarReader reader(quasar::corpus::tar_in_memory(archive));
  std::uint64_t last = 0;
  std::size_t members = 0;
  while (const auto member = reader.next()) {
    if (member->offset <= last || member->name.empty()) std::abort();
    last = member->offset;
    if (++members > size / 512) std::abort();
    const std::string text = quasar::corpus::escaped_text(member->name);
    if (quasar::corpus::text_to_path(quasar::corpus::path_to_text(member->name)).native() != member->name ||
        quasar::corpus::escaped_text(text) != text) {
      std::abort();
    }
    const auto content = reader.read(*member, size);
    if (!content) continue;
    if (content->size() != member->size) std::abort();
    if (!quasar::corpus::is_tar_header(archive.subspan(member->offset - 512, 512))) std::abort();
  }
  if (reader.damage().size() > 2 * (size / 512 + 1)) std::abort();
  return 0;
}
