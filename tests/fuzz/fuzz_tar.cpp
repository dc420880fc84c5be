// An archive from anywhere: listed without an exception, in order, in a number of steps bounded by its
// length; what read() gives has the stated size, and lies after a header whose checksum is right. The samples
// that its members make hold each member once, and what describes an image is of its sample.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "corpus/path_text.h"
#include "corpus/sources/tar_reader.h"
#include "corpus/sources/tar_samples.h"

namespace {

using namespace quasar::corpus;

void check_samples(const std::vector<TarMember>& members) {
  SampleCollector collector;
  for (std::size_t i = 0; i < members.size(); ++i) {
    collector.add(i, members[i].name, members[i].archive,
                  i % 3 == 0 ? MemberRole::kDescription : MemberRole::kImage);
  }
  std::vector<int> seen(members.size());
  for (const auto& sample : collector.take()) {
    for (const auto* part : {&sample.images, &sample.descriptions}) {
      for (const auto& [extension, member] : *part) {
        const auto name = sample_name(members[member].name);
        if (name.key != sample.key || name.extension != extension || seen[member]++ != 0) std::abort();
        if (members[member].archive != sample.archive) std::abort();
      }
    }
    for (const auto& [extension, image] : sample.images) {
      const auto description = description_of(sample, extension, "json");
      if (description.member && (description.ambiguous || *description.member % 3 != 0)) std::abort();
    }
  }
  for (const int count : seen) {
    if (count != 1) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto archive = std::as_bytes(std::span(data, size));
  const auto input = tar_in_memory(archive);
  if (no_tar(*input) != NoTar::kMaybeTar && is_tar_header(archive)) std::abort();
  const bool zeros = only_zeros(*input);
  TarReader reader(tar_in_memory(archive));
  std::uint64_t last = 0;
  std::vector<TarMember> members;
  while (auto member = reader.next()) {
    if (zeros || member->offset <= last) std::abort();
    if (member->name.empty() && member->kind != TarMemberKind::kSpecial) std::abort();
    last = member->offset;
    const std::string text = escaped_text(member->name);
    if (text_to_path(path_to_text(member->name)).native() != member->name || escaped_text(text) != text)
      std::abort();
    if (const auto content = reader.read(*member, size)) {
      if (content->size() != member->size || member->kind != TarMemberKind::kFile) std::abort();
      if (!is_tar_header(archive.subspan(member->offset - 512, 512))) std::abort();
    }
    members.push_back(*std::move(member));
    if (members.size() > size / 512) std::abort();
  }
  if (reader.damage().size() > 2 * (size / 512 + 1)) std::abort();
  check_samples(members);
  return 0;
}
