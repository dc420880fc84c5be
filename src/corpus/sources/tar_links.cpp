#include "corpus/sources/tar_links.h"

#include <algorithm>
#include <utility>

namespace quasar::corpus {
namespace {

/// Links that lead to links are followed no further.
constexpr int kMaxLinks = 40;
constexpr std::uint64_t kAnywhere = ~std::uint64_t{0};

/// A name without ".", ".." and doubled slashes; empty when it leads out of the archive.
std::string plain_name(std::string_view name) {
  std::vector<std::string_view> parts;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, end);
    name.remove_prefix(std::min(end + 1, name.size()));
    if (part == "..") {
      if (parts.empty()) return "";
      parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string plain;
  for (const auto part : parts) plain.append(plain.empty() ? "" : "/").append(part);
  return plain;
}

}  // namespace

bool is_hidden(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  return begin < name.size() && name[begin] == '.';
}

LinkResolver::LinkResolver(const std::filesystem::path& tar) {
  TarReader reader(open_tar(tar));
  while (auto member = reader.next()) {
    std::string name = plain_name(member->name);
    members_[std::move(name)].push_back(*std::move(member));
  }
}

const TarMember* LinkResolver::resolve(const TarMember& link) const {
  const TarMember* member = &link;
  for (int steps = 0; steps < kMaxLinks && member != nullptr; ++steps) {
    if (member->kind == TarMemberKind::kHardLink) {
      member = latest(plain_name(member->target), member->archive, member->offset);
    } else if (member->kind == TarMemberKind::kSymbolicLink) {
      if (member->target.empty() || member->target.front() == '/') return nullptr;
      const std::size_t slash = member->name.rfind('/');
      const std::string folder = slash == std::string::npos ? "" : member->name.substr(0, slash + 1);
      member = latest(plain_name(folder + member->target), member->archive, kAnywhere);
    } else {
      return member;
    }
  }
  return nullptr;
}

const TarMember* LinkResolver::latest(const std::string& name, std::size_t archive,
                                      std::uint64_t before) const {
  const auto found = members_.find(name);
  if (found == members_.end()) return nullptr;
  const auto& candidates = found->second;
  const auto last = std::find_if(candidates.rbegin(), candidates.rend(), [&](const TarMember& candidate) {
    return candidate.archive == archive && candidate.offset < before;
  });
  return last == candidates.rend() ? nullptr : &*last;
}

}  // namespace quasar::corpus
